import { describe, expect, it } from 'vitest';
import { nextTryInMs, PATIENT } from './delivery-policy.js';

describe('nextTryInMs', () => {
  it('waits longer each time, never longer than the longest wait, and ends', () => {
    const waits = Array.from({ length: 12 }, (_, index) => nextTryInMs(PATIENT, index + 1));
    expect(waits.slice(0, 4)).toEqual([1_000, 3_000, 9_000, 27_000]);
    expect(waits.slice(-3)).toEqual([3_600_000, 3_600_000, undefined]);
  });

  it('does what the receiver asks for, within bounds', () => {
    expect(nextTryInMs(PATIENT, 1, 5_000)).toBe(5_000);
    expect(nextTryInMs(PATIENT, 1, 1e12)).toBe(PATIENT.maxBackoffMs);
    expect(nextTryInMs(PATIENT, PATIENT.maxAttempts, 5_000)).toBeUndefined();
  });
});
