import { describe, expect, it } from 'vitest';
import { buildPlan, type LaneShape } from './plan-builder.js';
import { Run } from './run.js';

const lanesOf = (...lanes: LaneShape[]) => buildPlan({ hops: [[{ parallelism: 3, lanes }]] });
const REPLACE = 'h0/w0/a/replace';

/** An attempt's time, or its revocation's, is over. */
function fallSilent(run: Run, id: string): void {
  run.tell({ type: 'deadline', stepId: id, token: run.token(id) });
}

function answerRevocation(run: Run, id: string, began: boolean, token = run.token(id)): void {
  const result = { outcome: 'revoked', began } as const;
  run.tell({ type: 'step-finished', stepId: id, token, result });
}

const revocations = (run: Run, id: string) =>
  run.commands.filter((command) => command.type === 'revoke-step' && command.stepId === id);
const calls = (run: Run) => run.events.filter(({ type }) => type === 'upgrade-needs-attention');
const back = (run: Run) => run.dispatched().filter((id) => id.includes('/back/'));

/** Called back by a person's rollback, and the service says nothing. */
function silentOnTheWayBack(): Run {
  const run = new Run(lanesOf({ instance: 'a' }));
  run.until(REPLACE);
  run.tell({ type: 'rollback', actor: 'p' });
  fallSilent(run, REPLACE);
  return run;
}

describe('a revocation for the way back that nobody answers', () => {
  it('is a person’s to decide: it is not asked again by itself, and says what to do', () => {
    const run = silentOnTheWayBack();
    expect(run.saga).toMatchObject({ state: 'needs_attention', attention: [REPLACE] });
    expect(run.saga.resumeTo).toBe('rolling_back');
    expect(revocations(run, REPLACE)).toHaveLength(1);
    expect(run.commands).not.toContainEqual({ type: 'release-locks' });
    const { app, target } = run.plan.hops[0]?.waves[0]?.lanes[0]?.steps.find(
      ({ id }) => id === REPLACE,
    ) ?? { app: 'none', target: { name: 'none' } };
    const message = String(calls(run)[0]?.data.message);
    for (const word of [REPLACE, target.name, app, 'retry', 'resolve'])
      expect(message).toContain(word);
  });

  it('is asked again by retry, and again a person’s to decide when there is no answer to that', () => {
    const run = silentOnTheWayBack();
    const before = run.token(REPLACE);
    expect(run.tell({ type: 'retry', actor: 'p' }).refused).toBeUndefined();
    expect(run.status(REPLACE)).toBe('revoking');
    expect(run.token(REPLACE)).toBeGreaterThan(before);
    fallSilent(run, REPLACE);
    expect(run.saga).toMatchObject({ state: 'needs_attention', attention: [REPLACE] });
    run.tell({ type: 'retry', actor: 'p' });
    expect(back(run)).toEqual([]);
    answerRevocation(run, REPLACE, true);
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    expect(back(run)).toContain('h0/w0/a/back/restore');
  });

  it('that is answered late needs nobody any more', () => {
    const run = silentOnTheWayBack();
    answerRevocation(run, REPLACE, true);
    expect(run.saga).toMatchObject({ state: 'rolling_back', attention: [] });
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    expect(revocations(run, REPLACE)).toHaveLength(1);
  });

  it.each([
    { type: 'skip', actor: 'p', reason: 'stopped by hand' },
    { type: 'resolve', actor: 'p', reason: 'stopped by hand', outcome: 'failed' },
    { type: 'resolve', actor: 'p', reason: 'it is through', outcome: 'succeeded' },
  ] as const)('goes on after $type $outcome, and restores what it may have changed', (decision) => {
    const run = silentOnTheWayBack();
    const late = run.token(REPLACE);
    expect(run.tell(decision).refused).toBeUndefined();
    answerRevocation(run, REPLACE, false, late);
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    expect(back(run)).toContain('h0/w0/a/back/restore');
  });

  it('of several, each is named, and each is asked again', () => {
    const run = new Run(lanesOf({ instance: 'a' }, { instance: 'b' }));
    const ids = ['h0/w0/a/stop', 'h0/w0/b/stop'];
    run.until('h0/w0/a/stop');
    run.tell({ type: 'rollback', actor: 'p' });
    for (const id of ids) fallSilent(run, id);
    expect(run.saga.attention).toEqual(ids);
    run.tell({ type: 'retry', actor: 'p' });
    expect(run.underWay()).toEqual(ids);
    run.until();
    expect(run.saga.state).toBe('rolled_back');
  });

  it('of a part that goes back stops the rest, and a person’s rollback of all asks once more', () => {
    const first = { parallelism: 1, lanes: [{ instance: 'z' }] };
    const second = { parallelism: 2, lanes: [{ instance: 'a' }, { instance: 'b' }] };
    const run = new Run(buildPlan({ hops: [[first, second]], scope: 'wave' }));
    run.until('h0/w1/b/stop');
    run.fail('h0/w1/a/stop');
    fallSilent(run, 'h0/w1/b/stop');
    expect(run.saga.attention).toEqual(['h0/w1/b/stop']);
    expect(run.saga.resumeTo).toBe('running');
    run.tell({ type: 'rollback', actor: 'p' });
    expect(run.status('h0/w1/b/stop')).toBe('revoking');
    run.until();
    expect(run.saga.state).toBe('rolled_back');
  });
});

describe('an attempt to acquire a bracket that nobody knows the end of', () => {
  const ACQUIRE = 'h0/w0/a/bracket/acquire';

  function pausedInSilence(): Run {
    const run = new Run(lanesOf({ instance: 'a', bracket: 'lane' }));
    run.until(ACQUIRE);
    fallSilent(run, ACQUIRE);
    run.tell({ type: 'pause', actor: 'p' });
    fallSilent(run, ACQUIRE);
    fallSilent(run, ACQUIRE);
    return run;
  }

  it('is asked once on a pause, and a person decides when it goes on', () => {
    const run = pausedInSilence();
    expect(run.saga.state).toBe('paused');
    expect(revocations(run, ACQUIRE)).toHaveLength(2);
    run.tell({ type: 'resume', actor: 'p' });
    expect(run.saga).toMatchObject({ state: 'needs_attention', attention: [ACQUIRE] });
    run.tell({ type: 'retry', actor: 'p' });
    expect(run.status(ACQUIRE)).toBe('dispatched');
    run.until();
    expect(run.saga.state).toBe('succeeded');
  });

  it('is let go of when its answer comes late', () => {
    const run = pausedInSilence();
    answerRevocation(run, ACQUIRE, true);
    run.until();
    expect(run.saga).toMatchObject({ state: 'paused', held: {} });
  });
});

describe('a step that was retried and waits for its bracket', () => {
  it('may still be at work: it is called back before its lane goes back', () => {
    const run = new Run(lanesOf({ instance: 'a', bracket: 'lane' }));
    run.until(REPLACE);
    fallSilent(run, REPLACE);
    fallSilent(run, REPLACE);
    run.until();
    expect(run.saga).toMatchObject({ attention: [REPLACE], held: {} });
    expect(run.tell({ type: 'retry', actor: 'p' }).refused).toBeUndefined();
    expect(run.status(REPLACE)).toBe('ready');
    run.tell({ type: 'rollback', actor: 'p' });
    expect(run.status(REPLACE)).toBe('revoking');
    run.until();
    expect(run.saga.state).toBe('rolled_back');
  });
});
