import { LiftlockError } from '#kernel';

/** What one look saw. */
export interface Seen {
  readonly passed: boolean;
  readonly detail: string;
}

/** One look at an instance that runs the right image. @throws LiftlockError when no later look can pass. */
export type Look<Instance> = (instance: Instance, signal: AbortSignal) => Promise<Seen>;

export function seen(passed: boolean, detail: string): Seen {
  return { passed, detail };
}

export function failure(
  message: string,
  details: Readonly<Record<string, unknown>>,
): LiftlockError {
  return new LiftlockError('check_failed', message, { details });
}
