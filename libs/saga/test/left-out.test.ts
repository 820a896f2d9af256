import { describe, expect, it } from 'vitest';
import { buildPlan } from './plan-builder.js';
import { Run } from './run.js';

const out = {
  ...{ instance: 'b@host', component: 'b', target: 'host', from: 'v0', to: 'v0' },
  ...{ updated: false, leftOut: true as const },
};
const of = (instances: readonly string[], scope: 'instance' | 'upgrade' = 'upgrade'): Run => {
  const lanes = instances.map((instance) => ({ instance }));
  const plan = buildPlan({ hops: [[{ parallelism: 1, lanes }]], scope, maxFailures: 1 });
  return new Run({ ...plan, changes: [out] });
};
const endOf = (run: Run, type: string): unknown =>
  run.events.find((event) => event.type === type)?.data;

describe('an upgrade that left something out', () => {
  it('is whole without it: it succeeds, and says what it was', () => {
    const run = of(['a']);
    run.until();
    expect(run.saga.state).toBe('succeeded');
    expect(endOf(run, 'upgrade-succeeded')).toEqual({ message: 'left out: b@host' });
  });

  it('says what failed before what was left out', () => {
    const run = of(['a', 'c'], 'instance');
    run.until('h0/w0/c/check');
    run.fail('h0/w0/c/check');
    run.until();
    expect(run.saga.state).toBe('partially_succeeded');
    expect(endOf(run, 'upgrade-partially-succeeded')).toEqual({
      message: 'h0/w0/c/check: it did not work; left out: b@host',
    });
  });
});
