import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TransferState } from './step-context.js';
import { transferMeter } from './transfer-meter.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('who watches is told every state, and the log a line from time to time', () => {
  const lines: string[] = [];
  const states: TransferState[] = [];
  const context = {
    log: (text: string) => void lines.push(text),
    transfer: (state: TransferState) => void states.push(state),
  };
  const told = transferMeter(context, 'restore', 'put back ');
  const mib = 1024 * 1024;
  told({ doneBytes: mib, totalBytes: 20 * mib });
  vi.advanceTimersByTime(5_000);
  told({ doneBytes: 10 * mib, totalBytes: 20 * mib, movedBytes: 9 * mib });
  expect(states).toEqual([
    { part: 'restore', doneBytes: mib, totalBytes: 20 * mib },
    { part: 'restore', doneBytes: 10 * mib, totalBytes: 20 * mib, movedBytes: 9 * mib },
  ]);
  expect(lines).toEqual(['put back 10.0 of 20.0 MiB, 2.0 MiB/s, 5 s left']);
});
