import { describe, expect, it } from 'vitest';
import type { StepTransfer } from '#contracts';
import { TransferBoard } from './transfer-board.js';

const MIB = 1024 * 1024;

function said(stepId: string, more: Partial<StepTransfer> = {}): StepTransfer {
  return {
    ...{ upgrade: 'upg_01arz3ndektsv4rrffq69g5fav', environment: 'home', application: 'web' },
    ...{ stepId, token: 1, part: 'copy', state: 'running' },
    ...{ doneBytes: 10 * MIB, totalBytes: 40 * MIB, bytesPerSecond: 5 * MIB },
    at: '2026-01-01T00:00:00.000Z',
    ...more,
  };
}

describe('what was heard of transfers', () => {
  it('is shown by step, and added up by kind with what is done already', () => {
    const board = new TransferBoard();
    board.hear(said('a', { state: 'done', doneBytes: 18 * MIB, totalBytes: 20 * MIB }), 0);
    board.hear(said('b'), 0);
    board.hear(said('c', { part: 'pull', doneBytes: 0, bytesPerSecond: 25 * MIB }), 0);
    board.hear(said('d', { part: 'snapshot' }), 0);
    const { steps, totals } = board.view(1_000);
    expect(steps.map(({ step, secondsLeft }) => [step, secondsLeft])).toEqual([
      ['b', 6],
      ['c', 2],
      ['d', 6],
    ]);
    expect(totals).toEqual([
      {
        ...{ kind: 'images', running: 2, doneBytes: 30 * MIB, totalBytes: 100 * MIB },
        ...{ bytesPerSecond: 30 * MIB, secondsLeft: 3 },
      },
      {
        ...{ kind: 'snapshots', running: 1, doneBytes: 10 * MIB, totalBytes: 40 * MIB },
        ...{ bytesPerSecond: 5 * MIB, secondsLeft: 6 },
      },
    ]);
  });

  it('a kind of which nothing is under way has no total', () => {
    const board = new TransferBoard();
    board.hear(said('a', { state: 'done' }), 0);
    expect(board.view(0)).toEqual({ steps: [], totals: [] });
  });

  it('what a killed process said last is not shown for ever, and an attempt that failed is no bytes that are done', () => {
    const board = new TransferBoard();
    board.hear(said('dead'), 0);
    board.hear(said('failed'), 0);
    board.hear(said('failed', { state: 'stopped' }), 14_000);
    board.hear(said('alive'), 14_000);
    expect(board.view(14_999).steps.map(({ step }) => step)).toEqual(['dead', 'alive']);
    const { steps, totals } = board.view(15_000);
    expect(steps.map(({ step }) => step)).toEqual(['alive']);
    expect(totals).toMatchObject([{ running: 1, totalBytes: 40 * MIB }]);
  });

  it('nothing that comes late brings back an attempt that was taken over, or has ended', () => {
    const board = new TransferBoard();
    board.hear(said('a', { token: 2, doneBytes: MIB }), 0);
    board.hear(said('a', { token: 1, state: 'stopped' }), 1);
    expect(board.view(1).steps).toMatchObject([{ doneBytes: MIB }]);
    board.hear(said('a', { token: 2, state: 'done' }), 2);
    board.hear(said('a', { token: 2 }), 3);
    expect(board.view(3).steps).toEqual([]);
    board.hear(said('a', { token: 3 }), 4);
    expect(board.view(4).steps).toHaveLength(1);
  });

  it('no time left is said where nothing moves, or where the rate is not known', () => {
    const board = new TransferBoard();
    board.hear(said('stalled', { bytesPerSecond: 0 }), 0);
    const { bytesPerSecond: _, ...unknown } = said('new', { part: 'snapshot' });
    board.hear(unknown, 0);
    const [stalled, fresh] = board.view(0).steps;
    expect([stalled?.bytesPerSecond, stalled?.secondsLeft]).toEqual([0, undefined]);
    expect(fresh).not.toHaveProperty('bytesPerSecond');
    expect(fresh).not.toHaveProperty('secondsLeft');
  });

  it('knows for how long it has heard nothing', () => {
    const board = new TransferBoard();
    board.hear(said('a'), 1_000);
    expect([board.isSilentFor(500, 1_499), board.isSilentFor(500, 1_500)]).toEqual([false, true]);
  });
});
