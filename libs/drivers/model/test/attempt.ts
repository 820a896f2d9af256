import type { StepContext } from '#drivers/core';

export const UPGRADE = 'upg_00000000000000000000000001';

/** One attempt at a step, with nobody to fence it. */
export function attempt(
  endpoint: string,
  stepId: string,
  more: Partial<StepContext> = {},
): StepContext {
  return {
    upgrade: UPGRADE,
    environment: 'test',
    application: 'app',
    stepId,
    token: 1,
    attempt: 1,
    target: { name: 'model', driver: 'model', site: 'main', endpoint },
    timeoutSeconds: 300,
    signal: new AbortController().signal,
    guard: () => Promise.resolve(),
    log: () => undefined,
    transfer: () => undefined,
    ...more,
  };
}
