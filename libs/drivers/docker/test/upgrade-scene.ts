import type Docker from 'dockerode';
import { expect } from 'vitest';
import type { Driver, StepContext } from '#drivers/core';
import { LiftlockError, systemIds } from '#kernel';
import { contextOf, crashAt } from '../../../../test/support/step-context.js';

export const REFERENCE = 'liftlock-test-service:2.0';

/** An engine that instances are upgraded on, and the images that they are upgraded between. */
export interface UpgradeScene {
  readonly docker: Docker;
  readonly endpoint: string;
  readonly driver: Driver;
  readonly oldImage: string;
  /** ID of `REFERENCE`. */
  readonly newImage: string;
}

/** One instance in the middle of its upgrade: each action as the executor would ask for it. */
export interface Started {
  readonly container: string;
  readonly containerId: string;
  readonly keptName: string;
  /** Of the next attempt. */
  attempt(changes?: Partial<StepContext>): ReturnType<typeof contextOf>;
  readonly stop: Action;
  readonly replace: Action;
  readonly stopNew: Action;
  readonly restoreOld: Action;
  readonly removeNew: Action;
  readonly removeOld: Action;
}
type Action = (changes?: Partial<StepContext>) => Promise<{ found: string }>;

export async function startInstance(
  { docker, endpoint, driver, oldImage, newImage }: UpgradeScene,
  container: string,
  settings: object = {},
): Promise<Started> {
  const made = await docker.createContainer({
    name: container,
    Image: oldImage,
    StopTimeout: 2,
    HostConfig: { RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } },
    ...settings,
  });
  await made.start();
  const upgrade = systemIds.next('upg');
  let token = 0;
  const attempt: Started['attempt'] = (changes = {}) => {
    token += 1;
    return contextOf(endpoint, { upgrade, token, ...changes });
  };
  const planned = { container, containerId: made.id };
  const kept = { ...planned, keptName: `${container}-kept` };
  const image = { reference: REFERENCE, id: newImage };
  const { instances } = driver;
  return {
    ...kept,
    attempt,
    stop: (changes) => instances.stop(attempt(changes), planned),
    replace: (changes) => instances.replace(attempt(changes), { ...kept, image, env: {} }),
    stopNew: (changes) => instances.stopNew(attempt(changes), kept),
    restoreOld: (changes) => instances.restoreOld(attempt(changes), { ...kept, start: true }),
    removeNew: (changes) => instances.removeNew(attempt(changes), kept),
    removeOld: (changes) => instances.removeOld(attempt(changes), kept),
  };
}

/** Cuts attempts off after each single change until one gets through; afterwards once more, to see that nothing is left to do. */
export async function expectToFindItself(action: Action): Promise<number> {
  let cuts = 0;
  for (let attempt = 1; ; attempt += 1) {
    const changes = attempt <= 8 ? crashAt(2) : {};
    const outcome = await action(changes).then(
      () => 'done',
      (error: unknown) => LiftlockError.from(error).code,
    );
    if (outcome === 'done') break;
    expect(outcome).toBe('fenced');
    cuts += 1;
  }
  expect((await action()).found).not.toBe('done_now');
  return cuts;
}
