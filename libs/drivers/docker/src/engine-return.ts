import { setTimeout as delay } from 'node:timers/promises';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Engine } from './engine.js';

/** For so long an engine that went away is waited for in all, in milliseconds: a host takes minutes to boot. */
export const AWAY_MS = 180_000;
const LOOK_MS = 500;

/**
 * Does something again when the engine went away under it and came back: it looks before it acts, so that it carries on where
 * it was.
 */
export async function despiteRestarts<T>(
  engine: Engine,
  context: Pick<StepContext, 'signal' | 'log' | 'token'>,
  act: () => Promise<T>,
  awayMs = AWAY_MS,
): Promise<T> {
  let leftMs = awayMs;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!isAway(error) || !isWaitedFor(engine, context) || context.signal.aborted) throw error;
      context.log(`${error.message}; waiting until it is back`, 'warn');
      const wentAt = performance.now();
      if (!(await isBack(engine, context.signal, wentAt + leftMs))) throw error;
      leftMs -= performance.now() - wentAt;
    }
  }
}

/**
 * An engine that this process never reached may be none at all: that is told at once, the first time. By the next attempt it is known to have
 * been there, since a plan was made of it: its host boots, or this process took over from one that had reached it.
 */
export function isWaitedFor(engine: Engine, { token }: Pick<StepContext, 'token'>): boolean {
  return engine.wasReached || token > 1;
}

export function isAway(error: unknown): error is LiftlockError {
  return error instanceof LiftlockError && error.code === 'target_unreachable';
}

async function isBack(engine: Engine, signal: AbortSignal, until: number): Promise<boolean> {
  while (performance.now() < until) {
    try {
      await delay(LOOK_MS, undefined, { signal });
      await engine.ping(signal);
      return true;
    } catch {
      if (signal.aborted) return false;
    }
  }
  return false;
}
