import { describe, expect, it } from 'vitest';
import { PlanIndex } from '#saga';
import { approveBy, buildPlan } from './plan-builder.js';
import { Run } from './run.js';

const one = { hops: [[{ parallelism: 1, lanes: [{ instance: 'a' }] }]] };
const threeWaves = {
  hops: [['a', 'b', 'c'].map((instance) => ({ parallelism: 1, lanes: [{ instance }] }))],
};

describe('before anything is touched', () => {
  it('a step that waits for another is not begun before, and never when that fails', () => {
    const plan = buildPlan(one);
    const [first] = plan.prepare;
    if (first === undefined) throw new Error('nothing is prepared');
    const waits = { ...first, id: 'prepare/second', after: [first.id] };
    const preparing = { ...plan, prepare: [waits, first] };
    const run = new Run(preparing);
    expect(run.dispatched()).toEqual([first.id]);
    run.succeed(first.id);
    expect(run.dispatched()).toEqual([first.id, waits.id]);

    const failing = new Run(structuredClone(preparing));
    failing.fail(first.id, 'none');
    failing.until();
    expect(failing.saga.state).toBe('failed');
    expect(failing.dispatched()).not.toContain(waits.id);
  });

  it('a plan whose preparation waits for itself, or for nothing, is refused', () => {
    const plan = buildPlan(one);
    const [first] = plan.prepare;
    if (first === undefined) throw new Error('nothing is prepared');
    const after = (id: string): unknown =>
      PlanIndex.of({ ...plan, prepare: [{ ...first, after: [id] }] });
    expect(() => after(first.id)).toThrow('goes in a circle');
    expect(() => after('prepare/other')).toThrow('prepares nothing');
  });

  it('a mirror that failed ends as failed, with nothing begun', () => {
    const run = new Run(buildPlan(one));
    run.fail('prepare/image', 'none');
    run.until();
    expect(run.saga.state).toBe('failed');
    expect(run.saga.lanes).toEqual({});
  });

  it('locks that cannot be had end as failed', () => {
    const run = new Run(buildPlan({ ...one, approval: 'required' }));
    run.tell(approveBy('p'));
    run.tell({
      type: 'admission-refused',
      error: { code: 'lock_held', message: 'held', retryable: false },
    });
    expect(run.saga.state).toBe('failed');
  });
});

describe('targets that images were brought to', () => {
  const removals = (run: Run): string[] => run.dispatched().filter((id) => /remove-new$/.test(id));

  it.each(['prepare/image', 'h0/w0/a/stop'])(
    'what was made there for all of them is removed when it is cancelled at %s, before anything new was there',
    (at) => {
      const run = new Run(buildPlan(threeWaves));
      run.until(at);
      run.tell({ type: 'cancel', actor: 'p' });
      run.until();
      expect(run.saga.state).toBe('rolled_back');
      expect(removals(run)).toEqual(['h0/w0/a/back/remove-new']);
    },
  );

  it('the same goes for a failure before the first of them', () => {
    const run = new Run(buildPlan(threeWaves));
    run.fail('prepare/image');
    expect(run.saga.state).toBe('running');
    run.until();
    expect(run.saga.state).toBe('failed');
    expect(removals(run)).toEqual(['h0/w0/a/back/remove-new']);
  });

  it('what hooks’ jobs left there is another thing: its removal stands for none of that', () => {
    const plan = buildPlan(threeWaves);
    for (const { compensation } of plan.hops) {
      const [first] = compensation;
      if (first === undefined) throw new Error('nothing is taken back');
      const jobs = { ...first, id: `${first.id}-jobs`, action: 'hook.remove-jobs' };
      compensation.unshift({ ...jobs, when: ['h0/w0/a/stop'] });
    }
    const run = new Run(plan);
    run.until('h0/w0/a/snapshot');
    run.fail('h0/w0/a/snapshot', 'none');
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    expect(removals(run)).toEqual(['h0/w0/a/back/remove-new']);
  });

  it('that is not done twice where it belongs to the way back, or to the end', () => {
    const back = new Run(buildPlan(threeWaves));
    back.until('h0/w0/a/check');
    back.fail('h0/w0/a/check');
    back.until();
    expect(removals(back)).toEqual(['h0/w0/a/back/remove-new']);
    const there = new Run(buildPlan(threeWaves));
    there.until();
    expect(there.saga.state).toBe('succeeded');
    expect(removals(there)).toEqual([]);
  });
});
