import { describe, expect, it } from 'vitest';
import { buildPlan } from './plan-builder.js';
import { Run } from './run.js';

describe('a maintenance window', () => {
  const shut = { until: '2026-11-28T21:00:00.000Z', message: 'shut' };
  const two = () =>
    new Run(
      buildPlan({
        hops: [
          [
            { parallelism: 1, lanes: [{ instance: 'a', bracket: 'lane' }] },
            { parallelism: 1, lanes: [{ instance: 'b' }] },
          ],
        ],
        outerBracket: true,
      }),
    );

  it('that closes lets the wave under way end, then waits with nothing held, and goes on when it opens', () => {
    const run = two();
    run.until('h0/w0/a/replace');
    run.tell({ type: 'window-closed', ...shut });
    run.until();
    expect(run.saga).toMatchObject({ state: 'paused', lanes: { 'h0/w0/a': 'verified' }, held: {} });
    expect(run.dispatched().filter((id) => id.startsWith('h0/w1'))).toEqual([]);
    expect(run.tell({ type: 'resume', actor: 'p' }).refused?.message).toContain('by itself');
    run.tell({ type: 'window-opened' });
    run.until();
    expect(run.saga.state).toBe('succeeded');
  });

  it('is no reason not to go back', () => {
    const run = two();
    run.until('h0/w0/a/replace');
    run.tell({ type: 'window-closed', ...shut });
    run.until();
    run.tell({ type: 'rollback', actor: 'p' });
    run.until();
    expect(run.saga.state).toBe('rolled_back');
  });

  it('does not open what a person has paused', () => {
    const run = two();
    run.until('h0/w0/a/replace');
    run.tell({ type: 'window-closed', ...shut });
    run.until();
    expect(run.tell({ type: 'pause', actor: 'p' }).refused).toBeUndefined();
    run.tell({ type: 'window-opened' });
    expect(run.saga.state).toBe('paused');
    run.tell({ type: 'resume', actor: 'p' });
    run.until();
    expect(run.saga.state).toBe('succeeded');
  });

  it('that is shut: told once for each moment, whatever is asked meanwhile', () => {
    const run = two();
    run.saga = { ...run.saga, state: 'scheduled' };
    const postponed = { type: 'admission-postponed', ...shut } as const;
    expect(run.tell(postponed).events.map(({ type }) => type)).toEqual(['upgrade-waiting']);
    expect(run.tell(postponed).events).toEqual([]);
    const later = { ...postponed, until: 'later', message: 'shut until later' };
    expect(run.tell(later).events).toHaveLength(1);
    // what is asked again and again says the same each time
    expect(run.tell({ ...later, until: 'later still' }).events).toEqual([]);
    expect(run.saga.waiting).toEqual({ until: 'later still', message: 'shut until later' });
  });
});
