import { describe, expect, it } from 'vitest';
import type { UpgradeState } from '#contracts';
import { assertSound, TRANSITIONS } from '#saga';
import { buildPlan } from './plan-builder.js';
import { Run } from './run.js';

const one = (more: object = {}) => ({
  hops: [[{ parallelism: 1, lanes: [{ instance: 'a', ...more }] }]],
});
const threeWaves = {
  hops: [['a', 'b', 'c'].map((instance) => ({ parallelism: 1, lanes: [{ instance }] }))],
};

describe('going back', () => {
  it('stops the new, restores, starts the old and verifies it, in that order', () => {
    const run = new Run(buildPlan(one()));
    run.until('h0/w0/a/check');
    run.fail('h0/w0/a/check');
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    expect(run.dispatched().filter((id) => id.includes('/back/'))).toEqual(
      ['stop-new', 'restore', 'start-old', 'check-old', 'remove-new'].map(
        (name) => `h0/w0/a/back/${name}`,
      ),
    );
  });

  it('restores nothing that the new version never touched', () => {
    const run = new Run(buildPlan(one()));
    run.until('h0/w0/a/replace');
    run.fail('h0/w0/a/replace', 'none');
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    expect(run.dispatched().filter((id) => id.includes('/back/'))).toEqual([
      'h0/w0/a/back/start-old',
      'h0/w0/a/back/check-old',
      // second names of images
      'h0/w0/a/back/remove-new',
    ]);
  });

  it('restores what a replacement in doubt may have touched', () => {
    const run = new Run(buildPlan(one()));
    run.until('h0/w0/a/replace');
    run.lose('h0/w0/a/replace');
    run.fail('h0/w0/a/replace', 'none');
    run.until();
    expect(run.dispatched()).toContain('h0/w0/a/back/restore');
  });

  it('waits for an attempt that is called back before it takes anything back', () => {
    const run = new Run(buildPlan(one()));
    run.until('h0/w0/a/replace');
    run.tell({ type: 'rollback', actor: 'p' });
    expect(run.underWay()).toEqual(['h0/w0/a/replace']);
    expect(run.status('h0/w0/a/replace')).toBe('revoking');
    run.until('h0/w0/a/back/stop-new');
    expect(run.saga.state).toBe('rolling_back');
  });

  it('waits for a later hop’s attempt too, though nothing of it has to be taken back', () => {
    const hop = [{ parallelism: 1, lanes: [{ instance: 'a' }] }];
    const run = new Run(buildPlan({ hops: [hop, hop] }));
    run.until('h1/w0/a/snapshot');
    run.tell({ type: 'rollback', actor: 'p' });
    expect(run.underWay()).toEqual(['h1/w0/a/snapshot']);
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    expect(run.dispatched()).toContain('h0/w0/a/back/restore');
  });

  it('counts a late result of an attempt that was called back for nothing', () => {
    const run = new Run(buildPlan(one()));
    run.until('h0/w0/a/replace');
    const stale = run.token('h0/w0/a/replace');
    run.tell({ type: 'deadline', stepId: 'h0/w0/a/replace', token: stale });
    run.tell({
      type: 'step-finished',
      stepId: 'h0/w0/a/replace',
      token: run.token('h0/w0/a/replace'),
      result: { outcome: 'revoked', began: true },
    });
    run.tell({ type: 'retry-due', stepId: 'h0/w0/a/replace', token: run.token('h0/w0/a/replace') });
    expect(run.status('h0/w0/a/replace')).toBe('dispatched');
    run.tell({
      type: 'step-finished',
      stepId: 'h0/w0/a/replace',
      token: stale,
      result: { outcome: 'succeeded', output: {} },
    });
    expect(run.status('h0/w0/a/replace')).toBe('dispatched');
  });

  it('goes from the second hop to the origin by the first hop’s snapshot alone', () => {
    const wave = [{ parallelism: 1, lanes: [{ instance: 'a' }] }];
    const run = new Run(buildPlan({ hops: [wave, wave] }));
    run.until('h1/w0/a/check');
    run.fail('h1/w0/a/check');
    run.until();
    expect(run.dispatched().filter((id) => id.includes('/back/'))).toEqual([
      'h1/w0/a/back/stop-new',
      'h1/w0/a/back/remove-new',
      'h0/w0/a/back/stop-new',
      'h0/w0/a/back/restore',
      'h0/w0/a/back/start-old',
      'h0/w0/a/back/check-old',
      'h0/w0/a/back/remove-new',
    ]);
  });

  it('goes to the last verified hop where the policy says so, and leaves the hops before alone', () => {
    const wave = [{ parallelism: 1, lanes: [{ instance: 'a' }] }];
    const run = new Run(buildPlan({ hops: [wave, wave], rollbackTo: 'last_verified_hop' }));
    run.until('h1/w0/a/check');
    run.fail('h1/w0/a/check');
    run.until();
    expect(run.dispatched().filter((id) => id.startsWith('h0/w0/a/back/'))).toEqual([]);
    expect(run.dispatched()).toContain('h1/w0/a/back/restore');
    expect(run.saga.state).toBe('rolled_back');
    // what the first hop kept would stand in the way of the next upgrade
    expect(run.dispatched().at(-1)).toBe(run.plan.finalize[0]?.id);
  });

  it('takes dependents down before what they depend on, and brings them up after it', () => {
    const run = new Run(buildPlan({ ...threeWaves, tiers: true }));
    run.until('h0/w2/c/check');
    run.fail('h0/w2/c/check');
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    const ordered = /(stop-new|start-old|check-old)$/;
    expect(run.dispatched().filter((id) => id.includes('/back/') && ordered.test(id))).toEqual([
      ...['w2/c', 'w1/b', 'w0/a'].map((lane) => `h0/${lane}/back/stop-new`),
      ...['w0/a', 'w1/b', 'w2/c'].flatMap((lane) => [
        `h0/${lane}/back/start-old`,
        `h0/${lane}/back/check-old`,
      ]),
    ]);
  });

  it('waits for no tier of which nothing is to be taken back', () => {
    const run = new Run(buildPlan({ ...threeWaves, tiers: true }));
    run.until('h0/w1/b/replace');
    run.fail('h0/w1/b/replace', 'none');
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    expect(run.dispatched().filter((id) => /back.(stop-new|start-old)$/.test(id))).toEqual([
      'h0/w0/a/back/stop-new',
      'h0/w0/a/back/start-old',
      'h0/w1/b/back/start-old',
    ]);
  });

  it('that fails stays visible, keeps the locks and can be retried', () => {
    const run = new Run(buildPlan(one()));
    run.until('h0/w0/a/check');
    run.fail('h0/w0/a/check');
    run.until('h0/w0/a/back/restore');
    run.fail('h0/w0/a/back/restore');
    expect(run.saga.state).toBe('needs_attention');
    expect(run.saga.attention).toEqual(['h0/w0/a/back/restore']);
    expect(run.commands).not.toContainEqual({ type: 'release-locks' });
    run.tell({ type: 'retry', actor: 'p' });
    run.until();
    expect(run.saga.state).toBe('rolled_back');
  });
});

describe('scopes', () => {
  const lanes = ['a', 'b', 'c'].map((instance) => ({ instance }));

  it('instance: takes back the one that failed and goes on with the rest while maxFailures allows it', () => {
    const run = new Run(buildPlan({ ...threeWaves, scope: 'instance', maxFailures: 1 }));
    run.until('h0/w1/b/check');
    run.fail('h0/w1/b/check');
    run.until();
    expect(run.saga.state).toBe('partially_succeeded');
    expect(run.saga.lanes).toEqual({
      'h0/w0/a': 'verified',
      'h0/w1/b': 'taken_back',
      'h0/w2/c': 'verified',
    });
  });

  it('instance: one failure more than maxFailures stops the rest', () => {
    const run = new Run(buildPlan({ ...threeWaves, scope: 'instance', maxFailures: 0 }));
    run.until('h0/w1/b/check');
    run.fail('h0/w1/b/check');
    run.until();
    expect(run.saga.state).toBe('partially_succeeded');
    expect(run.saga.lanes['h0/w2/c']).toBeUndefined();
  });

  it('wave: takes back the whole wave and leaves the ones before', () => {
    const run = new Run(
      buildPlan({
        hops: [
          [
            { parallelism: 1, lanes: [{ instance: 'first' }] },
            { parallelism: 3, lanes },
          ],
        ],
        scope: 'wave',
      }),
    );
    run.until('h0/w1/b/check');
    run.fail('h0/w1/b/check');
    run.until();
    expect(run.saga.state).toBe('partially_succeeded');
    expect(run.saga.lanes).toEqual({
      'h0/w0/first': 'verified',
      'h0/w1/a': 'taken_back',
      'h0/w1/b': 'taken_back',
      'h0/w1/c': 'taken_back',
    });
  });

  it('upgrade: takes back everything', () => {
    const run = new Run(buildPlan(threeWaves));
    run.until('h0/w2/c/check');
    run.fail('h0/w2/c/check');
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    expect(new Set(Object.values(run.saga.lanes))).toEqual(new Set(['taken_back']));
  });

  it('a single instance that is taken back alone ends as rolled_back, not as partially_succeeded', () => {
    const run = new Run(buildPlan({ ...one(), scope: 'instance' }));
    run.until('h0/w0/a/check');
    run.fail('h0/w0/a/check');
    run.until();
    expect(run.saga.state).toBe('rolled_back');
  });
});

describe('what cannot be seen or taken back', () => {
  it('a bare command whose process died is never dispatched twice', () => {
    const run = new Run(buildPlan(one({ bareCommand: true })));
    run.until('h0/w0/a/command');
    run.lose('h0/w0/a/command');
    expect(run.saga.state).toBe('needs_attention');
    run.tell({
      type: 'resolve',
      actor: 'p',
      step: 'h0/w0/a/command',
      outcome: 'succeeded',
      reason: 'seen by hand',
    });
    run.until();
    expect(run.saga.state).toBe('succeeded');
    expect(run.dispatched().filter((id) => id === 'h0/w0/a/command')).toHaveLength(1);
  });

  it('a failure after an irreversible step asks a person, and refuses a blind reversal', () => {
    const run = new Run(buildPlan(one({ irreversible: true })));
    run.until('h0/w0/a/check');
    run.fail('h0/w0/a/check');
    expect(run.saga.state).toBe('needs_attention');
    expect(run.tell({ type: 'rollback', actor: 'p' }).refused?.message).toContain(
      'cannot be taken back',
    );
    run.tell({ type: 'retry', actor: 'p' });
    run.until();
    expect(run.saga.state).toBe('succeeded');
  });

  it('a revocation without an answer is a person’s to decide, and is asked again on the way back', () => {
    const run = new Run(buildPlan(one()));
    run.until('h0/w0/a/replace');
    const id = 'h0/w0/a/replace';
    run.tell({ type: 'deadline', stepId: id, token: run.token(id) });
    run.tell({ type: 'deadline', stepId: id, token: run.token(id) });
    expect(run.saga.state).toBe('needs_attention');
    run.tell({ type: 'rollback', actor: 'p' });
    expect(run.underWay()).toEqual([id]);
    run.until();
    expect(run.saga.state).toBe('rolled_back');
  });
});

describe('a wave with a failure to be decided', () => {
  it('dispatches nothing more of the others, only to call it back at once', () => {
    const plan = buildPlan({
      hops: [
        [{ parallelism: 2, lanes: [{ instance: 'a' }, { instance: 'b', bareCommand: true }] }],
      ],
    });
    const run = new Run(plan);
    run.until('h0/w0/b/command');
    run.lose('h0/w0/b/command');
    run.until();
    expect(run.saga.attention).toEqual(['h0/w0/b/command']);
    const before = run.dispatched();
    run.tell({ type: 'resolve', actor: 'p', reason: 'looked', outcome: 'failed' });
    const since = run.dispatched().slice(before.length);
    expect(since.length).toBeGreaterThan(0);
    expect(since.filter((id) => !id.includes('/back/'))).toEqual([]);
  });
});

describe('baking', () => {
  it('a check that fails takes everything back', () => {
    const run = new Run(buildPlan({ ...one(), bakeSeconds: 60 }));
    run.until();
    expect(run.saga.state).toBe('baking');
    run.tell({ type: 'bake-check-due', round: 1 });
    run.fail('bake/a');
    run.until();
    expect(run.saga.state).toBe('rolled_back');
  });

  it('a check that is at work when it is rolled back is called back before anything is touched: it may start what it checks', () => {
    const run = new Run(buildPlan({ ...one(), bakeSeconds: 60 }));
    run.until();
    run.tell({ type: 'bake-check-due', round: 1 });
    const before = run.dispatched().length;
    run.tell({ type: 'rollback', actor: 'p' });
    expect(run.status('bake/a')).toBe('revoking');
    expect(run.dispatched()).toHaveLength(before);
    run.until();
    expect(run.dispatched().length).toBeGreaterThan(before);
    expect(run.saga.state).toBe('rolled_back');
  });

  it('once what was kept is being removed, nothing goes back', () => {
    const run = new Run(buildPlan({ ...one(), bakeSeconds: 60 }));
    run.until();
    run.tell({ type: 'bake-over' });
    expect(run.tell({ type: 'rollback', actor: 'p' }).refused?.message).toContain(
      'post a new upgrade',
    );
  });

  it('what cannot be removed is named, and the upgrade has succeeded all the same', () => {
    const run = new Run(buildPlan({ ...one(), bakeSeconds: 60 }));
    run.until();
    run.tell({ type: 'bake-over' });
    const { finalize } = run.plan;
    run.fail(finalize[0]?.id ?? '');
    expect(run.saga.state).toBe('succeeded');
  });
});

describe('the table', () => {
  it('is sound', () => {
    expect(() => assertSound()).not.toThrow();
  });

  it('with a state that cannot be reached is refused by name', () => {
    const broken: Record<UpgradeState, readonly UpgradeState[]> = {
      ...TRANSITIONS,
      running: ['paused', 'rolling_back', 'needs_attention'],
    };
    expect(() => assertSound(broken)).toThrow('state baking cannot be reached');
    const endless: typeof broken = { ...TRANSITIONS, rolled_back: ['running'] };
    expect(() => assertSound(endless)).toThrow('final state rolled_back');
  });
});
