import { describe, expect, it } from 'vitest';
import type { Lane, Plan, Step } from '#contracts';
import { estimateOf } from './estimate.js';

const step = (id: string, action: string): Step => ({
  ...{ id, action, title: id, phase: 'execute', app: 'executor', input: {}, undo: 'inverse' },
  target: { name: 'one', driver: 'docker', site: 'main', endpoint: 'unix:///a' },
  ...{ timeoutSeconds: 60, observable: true, repeatable: false },
  retry: { maxAttempts: 1, backoffSeconds: 1, maxBackoffSeconds: 1 },
});
const lane = (target: string, actions: string[]): Lane => {
  const id = `h1/w1/web@${target}`;
  const steps = actions.map((action, index) => step(`${id}/${index + 1}-x`, action));
  return {
    ...{ id, instance: `web@${target}`, component: 'web', target },
    from: '1',
    to: '2',
    steps,
  };
};
const planOf = (lanes: Lane[], parallelism: number): Plan => ({
  ...{ apiVersion: 'liftlock.dev/v1', kind: 'Plan', environment: 'prod', application: 'shop' },
  ...{ release: 'shop-2', from: '1', to: '2', documents: [], targets: [], observed: [] },
  ...{ changes: [], warnings: [], bakeChecks: [] },
  policy: {
    ...{ scope: 'upgrade', maxFailures: 0, rollbackTo: 'origin', approval: 'none' },
    ...{ bakeSeconds: 3600, bakeCheckEverySeconds: 5 },
  },
  prepare: [step('prepare/a/image-1', 'image.prepare'), step('prepare/b/image-1', 'image.prepare')],
  hops: [
    {
      id: 'h1',
      from: '1',
      to: '2',
      waves: [{ id: 'h1/w1', parallelism, lanes }],
      compensation: [],
    },
  ],
  brackets: [
    {
      ...{ id: 'b', lanes: ['h1/w1/web@a'], duringRollback: false },
      acquire: step('h1/w1/web@a/files/write', 'file.write'),
      release: step('h1/w1/web@a/files/remove', 'file.remove'),
    },
  ],
  finalize: [step('finalize/web@a/1-remove-old', 'instance.remove-old')],
});
const medians = new Map([
  ['image.prepare ', 10_000],
  ['instance.stop web', 1_000],
  ['instance.replace web', 2_000],
  ['file.write web', 400],
  ['file.remove web', 600],
  ['instance.remove-old web', 5_000],
]);
const lanes = ['a', 'b', 'c'].map((target) => lane(target, ['instance.stop', 'instance.replace']));

describe('an estimate', () => {
  it('of what prepares has one behind the other what waits for one another', () => {
    const plan = planOf([], 1);
    const mirrored = { ...step('prepare/mirror-1', 'image.mirror') };
    const waiting = plan.prepare.map((one) => ({ ...one, after: [mirrored.id] }));
    const known = { runs: 1, medians: new Map([...medians, ['image.mirror ', 4_000]]) };
    const prepare = [mirrored, ...waiting];
    const bare = { ...plan, prepare, brackets: [], finalize: [] };
    expect(estimateOf(bare, known).seconds).toBe(14);
  });

  it('adds waves up, lanes only as far as they wait for one another, and leaves the bake out', () => {
    const of = (parallelism: number) =>
      estimateOf(planOf(lanes, parallelism), { runs: 6, medians });
    // 10 for both images, 5 at the end; a lane 3, the first 4 with its file
    expect(of(1)).toEqual({ seconds: 25, runs: 6, steps: 11, unknownSteps: 0 });
    expect(of(2).seconds).toBe(21);
    expect(of(3).seconds).toBe(19);
  });

  it('says how much of the plan no earlier run had', () => {
    const some = [lane('a', ['instance.stop', 'hook.http'])];
    expect(estimateOf(planOf(some, 1), { runs: 1, medians })).toEqual({
      ...{ seconds: 17, runs: 1, steps: 7, unknownSteps: 1 },
    });
  });

  it('of what never ran is none', () => {
    expect(estimateOf(planOf(lanes, 1), { runs: 0, medians: new Map() })).toEqual({
      ...{ runs: 0, steps: 11, unknownSteps: 11 },
    });
  });
});
