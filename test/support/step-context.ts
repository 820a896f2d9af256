import type { StepContext } from '#drivers/core';
import { LiftlockError, systemIds } from '#kernel';

/** The context of one attempt, with the lines of its log. */
export function contextOf(
  endpoint: string,
  changes: Partial<StepContext> = {},
): StepContext & { readonly lines: string[] } {
  const lines: string[] = [];
  return {
    upgrade: systemIds.next('upg'),
    environment: 'test',
    application: 'test',
    stepId: 'h1/w1/app@one/step',
    token: 1,
    attempt: 1,
    target: { name: 'one', driver: 'docker', site: 'main', endpoint },
    timeoutSeconds: 300,
    signal: AbortSignal.timeout(150_000),
    guard: async () => undefined,
    log: (text) => void lines.push(text),
    transfer: () => undefined,
    lines,
    ...changes,
  };
}

/** A signal that is aborted at the nth question of the guard, and a guard that then says no: a crash at that place. */
export function crashAt(
  question: number,
): Pick<StepContext, 'signal' | 'guard'> & { asked: number } {
  const abort = new AbortController();
  const crash = {
    asked: 0,
    signal: abort.signal,
    guard: async () => {
      crash.asked += 1;
      if (crash.asked < question) return;
      abort.abort(new LiftlockError('fenced', 'the attempt is cut off here'));
      abort.signal.throwIfAborted();
    },
  };
  return crash;
}
