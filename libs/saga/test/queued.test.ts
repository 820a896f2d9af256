import { describe, expect, it } from 'vitest';
import { buildPlan, type LaneShape } from './plan-builder.js';
import { Run } from './run.js';

const lanesOf = (...lanes: LaneShape[]) => buildPlan({ hops: [[{ parallelism: 3, lanes }]] });
const REPLACE = 'h0/w0/a/replace';
const ENOUGH = 1_000;

function deadline(run: Run, id: string): void {
  run.tell({ type: 'deadline', stepId: id, token: run.token(id) });
}

function start(run: Run, id: string): void {
  run.tell({ type: 'step-started', stepId: id, token: run.token(id), owner: 'o' });
}

function revoked(run: Run, id: string, began: boolean): void {
  const result = { outcome: 'revoked', began } as const;
  run.tell({ type: 'step-finished', stepId: id, token: run.token(id), result });
}

/** Its time is over, and its service says whether it began. */
function calledBack(run: Run, id: string, began = false): void {
  deadline(run, id);
  expect(run.status(id)).toBe('revoking');
  revoked(run, id, began);
}

const back = (run: Run) => run.dispatched().filter((id) => id.includes('/back/'));

describe('an attempt that its service had no place for', () => {
  it('is queued again, and has not failed; the history says that it waits', () => {
    const run = new Run(lanesOf({ instance: 'a' }));
    run.until(REPLACE);
    const { maxAttempts } = run.plan.hops[0]?.waves[0]?.lanes[0]?.steps[0]?.retry ?? {};
    for (let round = 0; round <= (maxAttempts ?? ENOUGH); round += 1) {
      calledBack(run, REPLACE);
      expect(run.saga.steps[REPLACE]).toMatchObject({
        ...{ status: 'dispatched', failures: 0, began: false },
      });
    }
    const waits = run.events.filter(({ type }) => type === 'step-retrying');
    expect(waits.length).toBeGreaterThan(maxAttempts ?? ENOUGH);
    expect(JSON.stringify(waits[0]?.data)).toContain('free place');
    run.until();
    expect(run.saga.state).toBe('succeeded');
  });

  it('does not wait for ever: in the end it counts as failed', () => {
    const run = new Run(lanesOf({ instance: 'a' }));
    run.until(REPLACE);
    let rounds = 0;
    for (; run.saga.state === 'running' && rounds < ENOUGH; rounds += 1) {
      if (run.status(REPLACE) === 'dispatched') calledBack(run, REPLACE);
      else run.tell({ type: 'retry-due', stepId: REPLACE, token: run.token(REPLACE) });
    }
    expect(rounds).toBeLessThan(ENOUGH);
    expect(run.saga.state).toBe('rolling_back');
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    // it never began
    expect(back(run)).not.toContain('h0/w0/a/back/restore');
  });

  it('is queued again though it could not be looked at, since nothing of it happened', () => {
    const run = new Run(lanesOf({ instance: 'a', bareCommand: true }));
    run.until('h0/w0/a/command');
    calledBack(run, 'h0/w0/a/command');
    expect(run.status('h0/w0/a/command')).toBe('dispatched');
    calledBack(run, 'h0/w0/a/command', true);
    expect(run.saga).toMatchObject({ state: 'needs_attention', attention: ['h0/w0/a/command'] });
  });

  it('leaves nothing to restore', () => {
    const run = new Run(lanesOf({ instance: 'a' }));
    run.until(REPLACE);
    deadline(run, REPLACE);
    run.tell({ type: 'rollback', actor: 'p' });
    revoked(run, REPLACE, false);
    run.until();
    expect(run.saga.state).toBe('rolled_back');
    expect(back(run)).not.toContain('h0/w0/a/back/restore');
  });

  it('may have begun as long as its service has not said: what has no way back is not taken back', () => {
    const run = new Run(lanesOf({ instance: 'a', irreversible: true }));
    run.until('h0/w0/a/seal');
    deadline(run, 'h0/w0/a/seal');
    expect(run.tell({ type: 'rollback', actor: 'p' }).refused?.message).toContain(
      'cannot be taken back',
    );
  });

  it('is a person’s to decide where its service says nothing at all', () => {
    const run = new Run(lanesOf({ instance: 'a' }));
    run.until(REPLACE);
    calledBack(run, REPLACE);
    deadline(run, REPLACE);
    deadline(run, REPLACE);
    expect(run.saga).toMatchObject({ state: 'needs_attention', attention: [REPLACE] });
    expect(run.saga.steps[REPLACE]?.began).toBe(true);
  });
});

describe('an attempt that has started', () => {
  it('has all of its time from then on', () => {
    const run = new Run(lanesOf({ instance: 'a' }));
    run.until(REPLACE);
    const timers = () =>
      run.commands.filter(
        (command) => command.type === 'set-timer' && command.message.type === 'deadline',
      );
    const atDispatch = timers().at(-1);
    const before = timers().length;
    start(run, REPLACE);
    expect(timers()).toHaveLength(before + 1);
    expect(timers().at(-1)).toEqual(atDispatch);
  });

  it.each([true, false])('and is called back has failed, whether it began (%s) or not', (began) => {
    const run = new Run(lanesOf({ instance: 'a' }));
    run.until(REPLACE);
    start(run, REPLACE);
    calledBack(run, REPLACE, began);
    expect(run.saga.steps[REPLACE]).toMatchObject({ status: 'waiting', failures: 1 });
    run.tell({ type: 'retry-due', stepId: REPLACE, token: run.token(REPLACE) });
    // the next attempt has not started yet
    calledBack(run, REPLACE);
    expect(run.saga.steps[REPLACE]).toMatchObject({ status: 'dispatched', failures: 1 });
  });
});
