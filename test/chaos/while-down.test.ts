import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ActionName } from '#contracts';
import { modelImageId, writeControl, type ControlRule } from '#drivers/model';
import { atEachHeldStep, hold } from './held-steps.js';
import { ModelFleet, NEW_IMAGE, OLD_IMAGE, type ModelRun } from '../support/model-fleet.js';

/** a rolls, and has no data; b changes an object while it is down, and a job of it writes to its data. */
const SPECS = {
  a: { strategy: 'rolling', data: undefined },
  b: {
    hooks: {
      stopped: [
        { name: 'settings', type: 'merge', object: 'ConfigMap/b', data: { KEY: 'new' } },
        { name: 'migrate', type: 'job', volumesFrom: true, undo: 'none' },
      ],
    },
  },
};
const OBJECTS = { 'default/ConfigMap/b': 'as it was' };
const THERE = {
  a: ['kept-old', 'started-new'],
  b: ['stopped', 'snapshot', 'object-changed', 'hook-done', 'kept-old', 'started-new'],
};
const BACK = {
  a: ['put-back-old', 'started-old', 'removed-new'],
  b: [
    ...['stopped-new', 'restored', 'object-put-back'],
    ...['put-back-old', 'started-old', 'removed-new'],
  ],
};
/** The last component's new version never works: all three are taken back. */
const BROKEN: ControlRule = {
  do: 'fail-checks',
  ...{ imageId: modelImageId(NEW_IMAGE), container: 'c' },
};

let fleet: ModelFleet;
beforeAll(async () => {
  fleet = await ModelFleet.start();
});
afterAll(async () => {
  await fleet.stop();
});

/** A snapshot that was taken anew is no second effect. */
async function effectsOf(run: ModelRun, container: string): Promise<string[]> {
  return (await run.effectsOf(container)).filter(
    (effect, index, all) => effect !== 'snapshot' || all[index - 1] !== 'snapshot',
  );
}

async function expectAsBefore(run: ModelRun): Promise<void> {
  expect(await run.violations()).toEqual([]);
  const world = await run.readWorld();
  expect(world.objects).toEqual(OBJECTS);
  expect(world.objectRecords).toEqual({});
  for (const container of ['a', 'b', 'c'])
    expect(world.containers[container]).toMatchObject({
      ...{ imageId: modelImageId(OLD_IMAGE), running: true },
    });
  expect(world.volumes['b-data']?.files['/data/history']?.content.trim().split('\n')).toHaveLength(
    1,
  );
}

describe('what rolls, and what is done while an instance is down', () => {
  it('goes there, and what was kept for the way back is gone', async () => {
    const run = await fleet.newWorld(SPECS, OBJECTS);
    const upgrade = await run.begin();
    const view = await fleet.api.untilEnded(upgrade);
    expect(view.state, view.message).toBe('succeeded');
    expect(await run.violations()).toEqual([]);
    expect(await effectsOf(run, 'a')).toEqual([...THERE.a, 'removed-old']);
    const effects = await effectsOf(run, 'b');
    expect(effects.slice(0, -2)).toEqual(THERE.b);
    // what is kept goes all at the same time
    expect(effects.slice(-2).toSorted()).toEqual(['objects-forgotten', 'removed-old']);
    const { objects, objectRecords } = await run.readWorld();
    expect(objects['default/ConfigMap/b']).toContain('stopped-settings');
    expect(objectRecords).toEqual({});
  });

  it('goes back as it was, though no new version ever ran, where the job failed behind what it wrote', async () => {
    const run = await fleet.newWorld(SPECS, OBJECTS);
    const failing = { do: 'fail', action: 'hook.job', container: 'b', when: 'after' } as const;
    await writeControl(run.world, { rules: [{ ...failing, retryable: false }] });
    const upgrade = await run.begin();
    const view = await fleet.api.untilEnded(upgrade);
    expect(view.state, view.message).toBe('rolled_back');
    await expectAsBefore(run);
    expect(await effectsOf(run, 'a')).toEqual([...THERE.a, ...BACK.a]);
    expect(await effectsOf(run, 'b')).toEqual([
      ...['stopped', 'snapshot', 'object-changed', 'hook-done'],
      ...['restored', 'object-put-back', 'started-old'],
    ]);
  });

  it.each(['executor', 'coordinator'] as const)(
    'kill -9 of the %s at each of its steps, there and back: no effect lost, none twice',
    async (app) => {
      const run = await fleet.newWorld(SPECS, OBJECTS);
      const steps: ReadonlyArray<readonly [ActionName, string]> = [
        ['instance.replace', 'a'],
        ['hook.object', 'b'],
        ['hook.job', 'b'],
        ['instance.replace', 'b'],
        ['hook.remove-jobs', 'b'],
        ['data.restore', 'b'],
        ['hook.object-back', 'b'],
        ['instance.restore-old', 'b'],
        ['instance.restore-old', 'a'],
      ];
      const holds = steps.map(([action, container], index) =>
        hold(action, container, index % 2 === 0 ? 'after' : 'before'),
      );
      await writeControl(run.world, { rules: [...holds, BROKEN] });
      const upgrade = await run.begin();
      const met = await atEachHeldStep(run, upgrade, holds, [BROKEN], (letGo) =>
        fleet.killAndRestart(app, letGo),
      );
      const view = await fleet.api.untilEnded(upgrade);
      expect(view.state, view.message).toBe('rolled_back');
      expect(met).toBe(steps.length);
      await expectAsBefore(run);
      expect(await effectsOf(run, 'a')).toEqual([...THERE.a, ...BACK.a]);
      expect(await effectsOf(run, 'b')).toEqual([...THERE.b, ...BACK.b]);
    },
  );
});
