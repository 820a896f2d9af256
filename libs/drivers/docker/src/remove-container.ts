import { setTimeout as delay } from 'node:timers/promises';
import { LiftlockError } from '#kernel';
import { orMissing, type Engine } from './engine.js';
import { statusOf } from './errors.js';

/** For so long a removal that somebody else began is waited for, in milliseconds. */
const UNDER_WAY_MS = 300_000;
const LOOK_MS = 200;

export interface Removal {
  readonly id: string;
  /** For messages: "removing …". */
  readonly what: string;
  /** Also while it runs; default: one that runs stays, and that is an error. */
  readonly force?: boolean;
  /** Its anonymous volumes, too, that nothing else uses. Named ones stay in any case. */
  readonly volumes: boolean;
  /** Asked before each request; default: nobody is. */
  readonly guard?: () => Promise<void>;
  readonly signal?: AbortSignal;
}

/**
 * Removes a container; one that is gone is removed. Somebody else's removal is waited for, and begun anew should it fail.
 * @throws LiftlockError as `Engine.call`; retryable when the other's removal does not end.
 */
export async function removeFromEngine(
  engine: Engine,
  { id, what, volumes, guard, signal, ...how }: Removal,
): Promise<void> {
  const until = performance.now() + UNDER_WAY_MS;
  for (;;) {
    await guard?.();
    try {
      await orMissing(
        engine.call(what, signal, (docker, options) =>
          docker.getContainer(id).remove({ force: how.force === true, v: volumes, ...options }),
        ),
      );
      return;
    } catch (error) {
      if (!isUnderWay(error)) throw error;
      if (performance.now() >= until) {
        throw new LiftlockError(
          'target_refused',
          `${LiftlockError.from(error).message}, and has not ended`,
          {
            ...{ cause: error, retryable: true },
          },
        );
      }
    }
    // the next call says why it was broken off
    await delay(LOOK_MS, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

/** Being removed, or ending at this moment: in a moment it is gone, or can be removed. */
function isUnderWay(error: unknown): boolean {
  const words = LiftlockError.from(error).message;
  return (
    (statusOf(error) === 409 && /removal of container .* is already in progress/.test(words)) ||
    (statusOf(error) === 500 && /could not kill running container .* is not running/i.test(words))
  );
}
