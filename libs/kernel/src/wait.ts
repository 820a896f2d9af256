import { setTimeout as delay } from 'node:timers/promises';
import { LiftlockError } from './liftlock-error.js';

export interface WaitOptions {
  /** What is waited for, for the error's message. */
  readonly what: string;
  /** Milliseconds until it is given up. */
  readonly deadlineMs: number;
  /** Milliseconds between two looks; default 50. */
  readonly everyMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Looks until `condition` gives something other than `undefined` or `false`, and returns that.
 * @throws LiftlockError `timeout` at the deadline (the last error of the condition is its cause), or the signal's reason.
 */
export async function waitFor<T>(
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  options: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + options.deadlineMs;
  let last: unknown;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) {
      const because = last instanceof Error ? ` (${last.message})` : '';
      throw new LiftlockError(
        'timeout',
        `${options.what}: not within ${options.deadlineMs} ms${because}`,
        { cause: last },
      );
    }
    await delay(options.everyMs ?? 50, undefined, options.signal ? { signal: options.signal } : {});
  }
}
