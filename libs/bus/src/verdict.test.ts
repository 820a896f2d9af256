import { describe, expect, it } from 'vitest';
import { LiftlockError } from '#kernel';
import { COMMANDS } from '#contracts';
import { isExhausted, verdictOn } from './verdict.js';

const contract = COMMANDS['run-step'];
const again = (delayMs: number) => ({ kind: 'again', delayMs });

describe('what becomes of a delivery that failed', () => {
  it('waits longer each time, as the contract says, and the last wait holds', () => {
    const error = new LiftlockError('unavailable', 'not now');
    expect([1, 2, 3, 4, 5, 18].map((deliveries) => verdictOn(error, contract, deliveries))).toEqual(
      [100, 500, 2_000, 10_000, 10_000, 10_000].map(again),
    );
  });

  it('waits as long as the error asks for, but never less than the contract says', () => {
    const patient = new LiftlockError('unavailable', 'not now', { retryAfterMs: 3_000 });
    expect(verdictOn(patient, contract, 1)).toEqual(again(3_000));
    expect(verdictOn(patient, contract, 4)).toEqual(again(10_000));
  });

  it('ends at the last delivery but one', () => {
    const error = new LiftlockError('unavailable', 'never');
    expect(verdictOn(error, contract, contract.maxDeliver - 2)).toEqual(again(10_000));
    expect(verdictOn(error, contract, contract.maxDeliver - 1)).toEqual({ kind: 'dead_letter' });
    expect(verdictOn(error, contract, contract.maxDeliver + 5)).toEqual({ kind: 'dead_letter' });
  });

  it('is a dead letter at once when another try makes no sense, or nobody knows the message', () => {
    expect(verdictOn(new LiftlockError('invalid_request', 'no'), contract, 1)).toEqual({
      kind: 'dead_letter',
    });
    expect(
      verdictOn(new LiftlockError('internal', 'no', { retryable: false }), contract, 1),
    ).toEqual({ kind: 'dead_letter' });
    expect(verdictOn(new LiftlockError('unavailable', 'not now'), undefined, 1)).toEqual({
      kind: 'dead_letter',
    });
  });

  it('is not refused unheard while its failures may have been seen', () => {
    expect(isExhausted(contract, contract.maxDeliver * 10)).toBe(false);
    expect(isExhausted(contract, contract.maxDeliver * 10 + 1)).toBe(true);
  });
});
