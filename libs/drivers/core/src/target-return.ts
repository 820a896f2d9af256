import { setTimeout as delay } from 'node:timers/promises';
import { LiftlockError } from '#kernel';
import type { StepContext } from './step-context.js';

/** What steps act on: a Docker Engine, the API server of a cluster. */
export interface ReachedTarget {
  /** Whether it answered at least once. */
  readonly wasReached: boolean;
  /** @throws unless it answers now. */
  ping(signal: AbortSignal): Promise<void>;
}

/** For so long a target that went away is waited for in all, in milliseconds: a host takes minutes to boot. */
export const AWAY_MS = 180_000;
const LOOK_MS = 500;

/**
 * Does something again when the target went away under it and came back: it looks before it acts, so that it carries on where
 * it was.
 */
export async function despiteRestarts<T>(
  target: ReachedTarget,
  context: Pick<StepContext, 'signal' | 'log' | 'token'>,
  act: () => Promise<T>,
  awayMs = AWAY_MS,
): Promise<T> {
  let leftMs = awayMs;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!isAway(error) || !isWaitedFor(target, context) || context.signal.aborted) throw error;
      context.log(`${error.message}; waiting until it is back`, 'warn');
      const wentAt = performance.now();
      if (!(await isBack(target, context.signal, wentAt + leftMs))) throw error;
      leftMs -= performance.now() - wentAt;
    }
  }
}

/**
 * A target that this process never reached may be none at all: that is told at once, the first time. By the next attempt it is known to have
 * been there, since a plan was made of it: its host boots, or this process took over from one that had reached it.
 */
export function isWaitedFor(target: ReachedTarget, { token }: Pick<StepContext, 'token'>): boolean {
  return target.wasReached || token > 1;
}

export function isAway(error: unknown): error is LiftlockError {
  return error instanceof LiftlockError && error.code === 'target_unreachable';
}

async function isBack(target: ReachedTarget, signal: AbortSignal, until: number): Promise<boolean> {
  while (performance.now() < until) {
    try {
      await delay(LOOK_MS, undefined, { signal });
      await target.ping(signal);
      return true;
    } catch {
      if (signal.aborted) return false;
    }
  }
  return false;
}
