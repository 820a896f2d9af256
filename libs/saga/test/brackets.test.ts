import { describe, expect, it } from 'vitest';
import { buildPlan } from './plan-builder.js';
import { Run } from './run.js';

const one = (more: object = {}) => ({
  hops: [[{ parallelism: 1, lanes: [{ instance: 'a', ...more }] }]],
});

describe('brackets', () => {
  it('are let go on pause, and held again before the next step', () => {
    const run = new Run(buildPlan({ ...one(), outerBracket: true }));
    run.until('h0/w0/a/snapshot');
    run.tell({ type: 'pause', actor: 'p' });
    run.succeed('h0/w0/a/snapshot');
    expect(run.underWay()).toEqual(['outer/release']);
    run.until();
    run.tell({ type: 'resume', actor: 'p' });
    expect(run.underWay()).toEqual(['outer/acquire']);
    run.until();
    expect(run.saga.state).toBe('succeeded');
    expect(run.saga.held).toEqual({});
  });

  it('a resume in the middle of letting go waits for it, then acquires', () => {
    const run = new Run(buildPlan({ ...one(), outerBracket: true }));
    run.until('h0/w0/a/snapshot');
    run.tell({ type: 'pause', actor: 'p' });
    run.succeed('h0/w0/a/snapshot');
    run.tell({ type: 'resume', actor: 'p' });
    expect(run.underWay()).toEqual(['outer/release']);
    run.lose('outer/release');
    expect(run.underWay()).toEqual(['outer/release']);
    run.succeed('outer/release');
    expect(run.underWay()).toEqual(['outer/acquire']);
  });

  it('one that cannot be let go keeps the upgrade from ending', () => {
    const run = new Run(buildPlan({ ...one(), outerBracket: true }));
    run.until('outer/release');
    run.fail('outer/release');
    expect(run.saga.state).toBe('needs_attention');
    expect(run.saga.attention).toEqual(['outer/release']);
  });

  it('one that cannot be let go and is needed again on the way back asks for a person', () => {
    const run = new Run(buildPlan({ ...one(), outerBracket: true }));
    run.until('h0/w0/a/snapshot');
    run.tell({ type: 'pause', actor: 'p' });
    run.succeed('h0/w0/a/snapshot');
    run.fail('outer/release');
    run.tell({ type: 'rollback', actor: 'p' });
    expect(run.saga.attention).toEqual(['outer/release']);
    run.tell({ type: 'retry', actor: 'p' });
    run.until();
    expect(run.saga.state).toBe('rolled_back');
  });

  it('is not let go of while an attempt to acquire it may still be at work', () => {
    const run = new Run(buildPlan({ ...one(), outerBracket: true }));
    run.until('outer/acquire');
    const strike = (): void => {
      const token = run.token('outer/acquire');
      run.tell({ type: 'deadline', stepId: 'outer/acquire', token });
    };
    strike();
    strike();
    expect(run.dispatched()).not.toContain('outer/release');
    expect(run.status('outer/acquire')).toBe('revoking');
    run.until();
    expect(run.dispatched()).toContain('outer/release');
    expect(run.saga.held).toEqual({});
    expect(run.saga.state).toBe('rolled_back');
  });

  it('that stand before a step are acquired right before it, and let go before anything is taken back', () => {
    const run = new Run(buildPlan(one({ bracket: 'replace' })));
    run.until('h0/w0/a/check');
    run.fail('h0/w0/a/check');
    run.until();
    const order = run.dispatched().map((id) => id.replace('h0/w0/a/', ''));
    expect(order.slice(order.indexOf('snapshot'))).toEqual([
      ...['snapshot', 'bracket/acquire', 'replace', 'check', 'bracket/release'],
      ...['stop-new', 'restore', 'start-old', 'check-old', 'remove-new'].map(
        (name) => `back/${name}`,
      ),
    ]);
  });
});
