import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelImageId, writeControl, type ControlRule } from '#drivers/model';
import { expectAgreement } from './expectations.js';
import { atEachHeldStep, hold } from './held-steps.js';
import { ModelFleet, NEW_IMAGE } from '../support/model-fleet.js';

/** One step on the way there, and one on the way back, of each service that runs steps. */
const FORWARD = [
  hold('instance.stop', 'a', 'before'),
  hold('data.snapshot', 'a', 'after'),
  hold('instance.replace', 'b', 'after'),
  hold('instance.check', 'b', 'before'),
];
const BACK = [
  hold('instance.stop-new', 'c', 'after'),
  hold('data.restore', 'b', 'before'),
  hold('instance.restore-old', 'a', 'after'),
];
const BROKEN: readonly ControlRule[] = [
  { do: 'fail-checks', imageId: modelImageId(NEW_IMAGE), container: 'c' },
];

let fleet: ModelFleet;
beforeAll(async () => {
  fleet = await ModelFleet.start();
});
afterAll(async () => {
  await fleet.stop();
});

const LOSSES: ReadonlyArray<readonly [string, () => Promise<void>]> = [
  ['NATS is stopped and its store deleted', () => fleet.fleet.nats.wipe()],
  [
    'NATS is killed and comes back',
    () => fleet.fleet.nats.kill().then(() => fleet.fleet.nats.restart()),
  ],
  ['Redis is stopped and emptied', () => fleet.fleet.redis.wipe()],
  ['PostgreSQL is restarted', () => fleet.fleet.postgres.restart()],
  [
    'PostgreSQL is killed and comes back',
    () => fleet.fleet.postgres.kill().then(() => fleet.fleet.postgres.restart()),
  ],
];

describe.each(LOSSES)('%s in mid-upgrade', (_name, lose) => {
  it.each([
    { way: 'forward', holds: FORWARD, always: [], end: 'succeeded' },
    { way: 'back', holds: BACK, always: BROKEN, end: 'rolled_back' },
  ] as const)('$way: no effect lost, none twice', async ({ holds, always, end }) => {
    const run = await fleet.newWorld();
    await writeControl(run.world, { rules: [...holds, ...always] });
    const upgrade = await run.begin();
    // the step ends while the server is away
    const met = await atEachHeldStep(run, upgrade, holds, always, async (letGo) => {
      await Promise.all([lose(), letGo()]);
    });
    await fleet.api.untilEnded(upgrade);
    await expectAgreement(run, upgrade, end);
    expect(met).toBe(holds.length);
  });
});
