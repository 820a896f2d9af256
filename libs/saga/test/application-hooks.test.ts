import { describe, expect, it } from 'vitest';
import { buildPlan, type PlanShape } from './plan-builder.js';
import { Run } from './run.js';

const of = (more: Partial<PlanShape> = {}) =>
  new Run(
    buildPlan({
      hops: [
        [
          { parallelism: 1, lanes: [{ instance: 'a' }] },
          { parallelism: 1, lanes: [{ instance: 'b' }] },
        ],
      ],
      hooks: 'reversible',
      ...more,
    }),
  );
const hooksOf = (run: Run): string[] => run.dispatched().filter((id) => id.startsWith('app/'));
const BEFORE = ['app/before/drain', 'app/before/tell'];
const AFTER = 'app/after/publish';
const BACK = ['app/undo/tell', 'app/undo/drain', 'app/on-rollback/mourn'];

describe('hooks of a whole application', () => {
  it('before: once, in order, when all is prepared; after: once, when the last wave is verified, before the bake', () => {
    const run = of({ bakeSeconds: 10 });
    run.until('app/before/drain');
    expect(run.dispatched()).toEqual(['prepare/image', 'app/before/drain']);
    run.until(AFTER);
    expect(run.saga).toMatchObject({ state: 'running', lanes: { 'h0/w1/b': 'verified' } });
    run.until();
    expect(run.saga.state).toBe('baking');
    expect(hooksOf(run)).toEqual([...BEFORE, AFTER]);
  });

  it('before, that fails: nothing is begun, and what the ones before it did is undone', () => {
    const run = of();
    run.until('app/before/tell');
    run.fail('app/before/tell', 'none');
    run.until();
    expect(run.saga).toMatchObject({ state: 'rolled_back', lanes: {} });
    expect(run.saga.cause).toMatchObject({ kind: 'failure', step: 'app/before/tell' });
    // it had no effect itself: there is nothing of it to undo
    expect(hooksOf(run)).toEqual([...BEFORE, 'app/undo/drain', 'app/on-rollback/mourn']);
  });

  it.each(['instance', 'wave', 'upgrade'] as const)(
    'after, that fails: all goes back, with scope %s, too',
    (scope) => {
      const run = of({ scope, maxFailures: 5 });
      run.until(AFTER);
      run.fail(AFTER);
      run.until();
      expect(run.saga.state).toBe('rolled_back');
      expect(run.saga.lanes).toEqual({ 'h0/w0/a': 'taken_back', 'h0/w1/b': 'taken_back' });
    },
  );

  it('after is undone before any instance goes back, and the rest when all are back', () => {
    const run = of({ bakeSeconds: 10 });
    run.until();
    const before = run.dispatched().length;
    run.tell({ type: 'rollback', actor: 'p' });
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    const back = run.dispatched().slice(before);
    expect(back[0]).toBe('app/undo/publish');
    expect(back.slice(-3)).toEqual(BACK);
  });

  it('in doubt: asked of a person, and undone where it may have been done', () => {
    const run = of();
    run.until('app/before/tell');
    run.lose('app/before/tell');
    expect(run.saga).toMatchObject({ state: 'needs_attention', attention: ['app/before/tell'] });
    run.tell({ type: 'rollback', actor: 'p' });
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    expect(hooksOf(run).slice(-3)).toEqual(BACK);
  });

  it('irreversible: nothing goes back behind it, neither for a failure nor by hand', () => {
    const run = of({ hooks: 'irreversible' });
    run.until('h0/w0/a/check');
    const { refused } = run.tell({ type: 'rollback', actor: 'p' });
    expect(refused?.message).toContain('only go forward');
    run.fail('h0/w0/a/check');
    expect(run.saga.state).toBe('needs_attention');
    run.tell({ type: 'retry', actor: 'p' });
    run.until();
    expect(run.saga.state).toBe('succeeded');
  });

  it('an undo that fails waits for a person, and is tried again', () => {
    const run = of();
    run.until('h0/w0/a/replace');
    run.tell({ type: 'cancel', actor: 'p' });
    run.until('app/undo/tell');
    run.fail('app/undo/tell');
    expect(run.saga).toMatchObject({ state: 'needs_attention', attention: ['app/undo/tell'] });
    run.tell({ type: 'retry', actor: 'p' });
    run.until();
    expect(run.saga.state).toBe('rolled_back');
  });

  it('wait for the window as the first wave does, and no hook begins where nothing was to be begun', () => {
    const run = of();
    run.until('prepare/image');
    run.tell({ type: 'window-closed', until: '2026-11-28T21:00:00.000Z', message: 'shut' });
    run.until();
    expect(run.saga).toMatchObject({ state: 'paused', pausedBy: 'window' });
    expect(hooksOf(run)).toEqual([]);
    run.tell({ type: 'cancel', actor: 'p' });
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    expect(hooksOf(run)).toEqual([]);
  });

  describe('that are jobs: what they left', () => {
    const REMOVE = 'app/remove/end';
    const withJobs = (): Run => of({ hooks: 'jobs' });

    it('is removed at the end', () => {
      const run = withJobs();
      run.until();
      expect(run.saga.state).toBe('succeeded');
      expect(run.dispatched().at(-1)).toBe(REMOVE);
    });

    it('is removed when all is back', () => {
      const run = withJobs();
      run.until('h0/w0/a/check');
      run.fail('h0/w0/a/check');
      run.until();
      expect(run.saga.state).toBe('rolled_back');
      expect(run.dispatched().at(-1)).toBe(REMOVE);
    });

    it('is not looked for where none of them had begun', () => {
      const run = withJobs();
      run.until('prepare/image');
      run.fail('prepare/image', 'none');
      run.until();
      expect(run.saga.state).toBe('failed');
      expect(run.dispatched()).not.toContain(REMOVE);
    });
  });

  it('run also where some instances went back, and are undone as a whole where all did', () => {
    const partial = of({ scope: 'instance', maxFailures: 1 });
    partial.until('h0/w0/a/check');
    partial.fail('h0/w0/a/check');
    partial.until();
    expect(partial.saga.state).toBe('partially_succeeded');
    expect(hooksOf(partial)).toEqual([...BEFORE, AFTER]);
    const none = of({ scope: 'instance', maxFailures: 2 });
    for (const lane of ['h0/w0/a', 'h0/w1/b']) {
      none.until(`${lane}/check`);
      none.fail(`${lane}/check`);
    }
    none.until();
    expect(none.saga.state).toBe('rolled_back');
    expect(hooksOf(none)).toEqual([...BEFORE, ...BACK]);
  });
});
