import { expect } from 'vitest';
import { APPS, type HistoryEvent } from '#contracts';
import type { EmbeddedFleet } from '#fleet';
import type { ApiClient } from '../support/api-client.js';
import { followUpgrade } from '../support/follow-upgrade.js';

export interface DispatchedStep {
  readonly id: string;
  readonly direction: string;
}

function dispatched({ type, data }: HistoryEvent): DispatchedStep | undefined {
  if (type !== 'step-dispatched') return undefined;
  return { id: String(data['step']), direction: String(data['direction']) };
}

/**
 * Does something at each step of an upgrade, the first time that it is dispatched.
 * @param deadlineMs milliseconds until the upgrade must have ended
 */
export async function atEachStep(
  api: ApiClient,
  upgrade: string,
  deadlineMs: number,
  act: (step: DispatchedStep) => Promise<void>,
): Promise<DispatchedStep[]> {
  const met: DispatchedStep[] = [];
  for await (const event of followUpgrade(api, upgrade, deadlineMs)) {
    const step = dispatched(event);
    if (step === undefined || met.some(({ id }) => id === step.id)) continue;
    met.push(step);
    await act(step);
  }
  return met;
}

/** SIGKILL to every service, all at once, and a new start. */
export async function killAll(fleet: EmbeddedFleet): Promise<void> {
  await Promise.all(
    APPS.map(async (app) => {
      const service = fleet.service(app);
      await service.kill9();
      await service.restart();
    }),
  );
}

/** Every step that succeeded did so once; a bracket's steps may come again. */
export function expectOnce(history: readonly HistoryEvent[]): void {
  const succeeded = history
    .filter(
      ({ type, data }) => type === 'step-succeeded' && !/\/files\//.test(String(data['step'])),
    )
    .map(({ data }) => data['step']);
  expect(succeeded).toEqual([...new Set(succeeded)]);
  expect(history.map(({ sequence }) => sequence)).toEqual(history.map((_, index) => index + 1));
}
