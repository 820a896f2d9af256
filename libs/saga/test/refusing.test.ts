import { describe, expect, it } from 'vitest';
import { PlanIndex } from '#saga';
import { buildPlan } from './plan-builder.js';
import { Run } from './run.js';

const one = () => ({ hops: [[{ parallelism: 1, lanes: [{ instance: 'a' }] }]] });

describe('a target that refuses', () => {
  const refuse = (run: Run, stepId: string) =>
    run.fail(stepId, 'possible', false, 'target_refused');
  const again = (run: Run, stepId: string) =>
    run.tell({ type: 'retry-due', stepId, token: run.token(stepId) });

  it('on the way out, is taken back at once', () => {
    const run = new Run(buildPlan(one()));
    run.until('h0/w0/a/replace');
    refuse(run, 'h0/w0/a/replace');
    expect(run.saga.state).toBe('rolling_back');
  });

  /** It refuses until the step's attempts are used up, and the upgrade stays as it is until then. */
  const refuseToTheEnd = (run: Run, stepId: string): void => {
    const { maxAttempts } = PlanIndex.of(run.plan).step(stepId).step.retry;
    expect(maxAttempts).toBeGreaterThan(1);
    run.until(stepId);
    for (let attempt = 1; attempt < maxAttempts; attempt += 1) {
      const { state } = run.saga;
      refuse(run, stepId);
      expect(run.saga.state).toBe(state);
      expect(run.status(stepId)).toBe('waiting');
      again(run, stepId);
      expect(run.status(stepId)).toBe('dispatched');
    }
    refuse(run, stepId);
  };
  const goingBack = (more: Partial<Parameters<typeof buildPlan>[0]> = {}): Run => {
    const run = new Run(buildPlan({ ...one(), ...more }));
    run.until('h0/w0/a/check');
    run.fail('h0/w0/a/check');
    return run;
  };

  it.each([
    ['on the way back', 'h0/w0/a/back/stop-new', {}],
    ['in the application’s own way back', 'app/undo/drain', { hooks: 'reversible' }],
    ['when a bracket is let go of', 'outer/release', { outerBracket: true }],
  ] as const)(
    '%s, is asked again as often as the step’s retry allows, before a person is',
    (_where, stepId, shape) => {
      const run = goingBack(shape);
      refuseToTheEnd(run, stepId);
      expect(run.saga.state).toBe('needs_attention');
      expect(run.saga.attention).toEqual([stepId]);
    },
  );

  it('when a bracket is let go of at a good end, is asked again, too', () => {
    const run = new Run(buildPlan({ ...one(), outerBracket: true }));
    refuseToTheEnd(run, 'outer/release');
    expect(run.saga.attention).toEqual(['outer/release']);
  });

  it('when a bracket is acquired, is asked again on the way back only', () => {
    const out = new Run(buildPlan({ ...one(), outerBracket: true }));
    out.until('outer/acquire');
    refuse(out, 'outer/acquire');
    expect(out.saga.cause).toMatchObject({ step: 'outer/acquire' });
    const back = new Run(buildPlan({ ...one(), outerBracket: true }));
    back.until('h0/w0/a/check');
    back.tell({ type: 'pause', actor: 'p' });
    back.fail('h0/w0/a/check');
    back.until();
    back.tell({ type: 'rollback', actor: 'p' });
    refuseToTheEnd(back, 'outer/acquire');
    expect(back.saga.attention).toEqual(['outer/acquire']);
  });

  it('when what was kept is removed, is asked again before it is left behind', () => {
    const run = new Run(buildPlan(one()));
    refuseToTheEnd(run, 'h0/w0/a/remove-old');
    expect(run.saga.state).toBe('succeeded');
    expect(run.status('h0/w0/a/remove-old')).toBe('skipped');
  });

  it('in the middle of bringing data back, is not asked to write them all once more', () => {
    const stepId = 'h0/w0/a/back/restore';
    const run = goingBack();
    run.until(stepId);
    refuse(run, stepId);
    expect(run.saga.attention).toEqual([stepId]);
  });

  it('before any data is brought back, since they are in use, is asked again', () => {
    const stepId = 'h0/w0/a/back/restore';
    const run = goingBack();
    run.until(stepId);
    run.fail(stepId, 'none', false, 'data_in_use');
    expect(run.status(stepId)).toBe('waiting');
  });
});
