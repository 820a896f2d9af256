import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APPS, type ActionName } from '#contracts';
import { modelImageId, writeControl, type ControlRule } from '#drivers/model';
import { expectAgreement } from './expectations.js';
import { atEachHeldStep, hold, type Hold } from './held-steps.js';
import { COMPONENTS, ModelFleet, NEW_IMAGE } from '../support/model-fleet.js';

const FORWARD: readonly ActionName[] = [
  'instance.assert-unchanged',
  'instance.stop',
  'data.snapshot',
  'instance.replace',
  'instance.check',
  'instance.remove-old',
];
const BACK: readonly ActionName[] = [
  'instance.stop-new',
  'data.restore',
  'instance.restore-old',
  'instance.remove-new',
];
/** The last component's new version never works: all three are taken back. */
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

/** A hold for each action of each component, in turn before and after its effect. */
function holdsOf(actions: readonly ActionName[]): Hold[] {
  return COMPONENTS.flatMap((container, index) =>
    actions.map((action, other) =>
      hold(action, container, (index + other) % 2 === 0 ? 'before' : 'after'),
    ),
  );
}

// All at once: each upgrade kills its own service at each of its own steps, and lives with the deaths that the others cause.
describe.concurrent.each(APPS)('kill -9 of the %s at each step of a three-wave plan', (app) => {
  it.each([
    { way: 'forward', actions: FORWARD, always: [], end: 'succeeded' },
    { way: 'back', actions: BACK, always: BROKEN, end: 'rolled_back' },
  ] as const)('$way: no effect lost, none twice', async ({ actions, always, end }) => {
    const run = await fleet.newWorld();
    const holds = holdsOf(actions);
    await writeControl(run.world, { rules: [...holds, ...always] });
    const upgrade = await run.begin();
    const met = await atEachHeldStep(run, upgrade, holds, always, (letGo) =>
      fleet.killAndRestart(app, letGo),
    );
    await fleet.api.untilEnded(upgrade);
    await expectAgreement(run, upgrade, end);
    expect(met).toBe(actions.length * COMPONENTS.length);
  });
});
