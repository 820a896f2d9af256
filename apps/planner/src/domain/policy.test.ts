import { describe, expect, it } from 'vitest';
import { effectivePolicy, startConditionsOf } from './policy.js';

describe('the policy of a plan', () => {
  it('is the request’s, then the environment’s, then the default', () => {
    expect(effectivePolicy({ scope: 'wave', bakeSeconds: 5 }, { bakeSeconds: 7 })).toEqual({
      ...{ scope: 'wave', maxFailures: 0, rollbackTo: 'origin', approval: 'none' },
      ...{ bakeSeconds: 7, bakeCheckEverySeconds: 5 },
    });
  });

  it('a request does not get around the approval that its environment asks for', () => {
    const policy = effectivePolicy({ approval: 'required' }, { approval: 'none' });
    expect(policy.approval).toBe('required');
    expect(effectivePolicy({}, { approval: 'required' }).approval).toBe('required');
  });

  it('approvals are those of the environment, and not by the requester unless it says so', () => {
    const approvals = [{ role: 'approver' as const, count: 2 }];
    const conditions = (environment: Parameters<typeof startConditionsOf>[0]) =>
      startConditionsOf(environment, effectivePolicy(environment, {}));
    expect(conditions({})).toEqual({});
    expect(conditions({ approval: 'required' })).toEqual({});
    expect(conditions({ approvals })).toEqual({
      startConditions: { approvals: { needed: approvals, notByRequester: true } },
    });
    expect(conditions({ promotion: { from: 'staging' } })).toEqual({
      startConditions: { promotion: { from: 'staging' } },
    });
    expect(conditions({ approvals, notByRequester: false })).toEqual({
      startConditions: { approvals: { needed: approvals, notByRequester: false } },
    });
    expect(conditions({ approval: 'required', notByRequester: true })).toEqual({
      startConditions: {
        approvals: { needed: [{ role: 'approver', count: 1 }], notByRequester: true },
      },
    });
  });
});
