import { LiftlockError } from '#kernel';
import type { EngineName } from './engine-name.js';

/**
 * The versions of the Engine API that are spoken (https://docs.docker.com/reference/api/engine/version-history/). The oldest is
 * Docker 19.03's. What the newest brought is not needed: an engine that is newer still answers to it.
 */
export const SPOKEN = { min: '1.40', max: '1.51' } as const;

/** What an engine says of itself, `GET /version`. */
export interface EngineVersion {
  readonly Version?: string;
  readonly ApiVersion?: string;
  readonly MinAPIVersion?: string;
}

export function isSpoken(version: string): boolean {
  return compare(version, SPOKEN.min) >= 0 && compare(version, SPOKEN.max) <= 0;
}

/** The newest version that both speak. @throws LiftlockError `target_refused`, naming what each of the two speaks. */
export function commonVersion(engine: EngineName, said: EngineVersion): string {
  const { ApiVersion: newest = '', MinAPIVersion: oldest = newest, Version = 'unknown' } = said;
  if (!/^\d+\.\d+$/.test(newest)) {
    throw new LiftlockError(
      'target_refused',
      `what answers at ${engine.endpoint} for ${engine.name} does not say which API it speaks: is it a Docker Engine?`,
      { details: { target: engine.name, endpoint: engine.endpoint } },
    );
  }
  const common = compare(newest, SPOKEN.max) < 0 ? newest : SPOKEN.max;
  const tooOld = compare(newest, SPOKEN.min) < 0;
  if (!tooOld && compare(oldest, common) <= 0) return common;
  throw new LiftlockError(
    'target_refused',
    `the Docker Engine ${Version} of ${engine.name} speaks the API from ${oldest} to ${newest}; this Liftlock speaks ${SPOKEN.min} to ${SPOKEN.max}: ` +
      (tooOld ? 'upgrade that engine (19.03 or later)' : 'upgrade Liftlock'),
    { details: { target: engine.name, engine: { Version, oldest, newest }, spoken: SPOKEN } },
  );
}

/** What an engine answers to a version that it does not speak (any more): it was exchanged for another since. */
export function isVersionRefusal(words: string): boolean {
  return /client version \S+ is too (?:new|old)/i.test(words);
}

function compare(one: string, other: string): number {
  const [a, b] = [one, other].map((version) => version.split('.').map(Number));
  return (a?.[0] ?? 0) - (b?.[0] ?? 0) || (a?.[1] ?? 0) - (b?.[1] ?? 0);
}
