import { LiftlockError } from '#kernel';
import type { ContainerInfo } from './engine.js';

/** What one look saw. */
export interface Seen {
  readonly passed: boolean;
  readonly detail: string;
}

/** One look at a container that runs the right image. @throws LiftlockError when no later look can pass. */
export type Look = (container: ContainerInfo, signal: AbortSignal) => Promise<Seen>;

export function seen(passed: boolean, detail: string): Seen {
  return { passed, detail };
}

export function failure(
  message: string,
  details: Readonly<Record<string, unknown>>,
): LiftlockError {
  return new LiftlockError('check_failed', message, { details });
}
