import { describe, expect, it } from 'vitest';
import { TransferTelling } from './transfer-telling.js';

const MIB = 1024 * 1024;

/** A telling, and a clock that is put on by seconds. */
function scene() {
  let now = 50_000;
  const telling = new TransferTelling(() => now);
  return {
    telling,
    copied: (mib: number, movedMib = mib) =>
      telling.at({
        part: 'copy',
        doneBytes: mib * MIB,
        totalBytes: 64 * MIB,
        movedBytes: movedMib * MIB,
      }),
    /** What is told after so many seconds. */
    after: (seconds: number) => {
      now += seconds * 1_000;
      return telling.due();
    },
  };
}

describe('what is told of a transfer', () => {
  it('however many chunks went by it is the last state, with the rate of the last seconds', () => {
    const { telling, copied, after } = scene();
    expect(telling.due()).toBeUndefined();
    for (let mib = 0; mib <= 2; mib += 0.01) copied(mib);
    copied(2);
    expect(after(1)).toEqual({
      ...{ part: 'copy', state: 'running', doneBytes: 2 * MIB, totalBytes: 64 * MIB },
      bytesPerSecond: 2 * MIB,
    });
    for (const mib of [3, 4, 5, 6, 7, 8]) {
      copied(mib);
      expect(after(1)?.doneBytes).toBe(mib * MIB);
    }
    copied(9);
    expect(after(1)?.bytesPerSecond).toBe(MIB);
  });

  it('a rate is not known at once, and what is mounted is not counted as moved', () => {
    const { telling, copied, after } = scene();
    copied(0);
    expect(telling.due()).not.toHaveProperty('bytesPerSecond');
    copied(60, 4);
    expect(after(1)).toMatchObject({ doneBytes: 60 * MIB, bytesPerSecond: 4 * MIB });
  });

  it('one that hangs is told again after 5 s, with a rate of nothing, and not every second', () => {
    const { copied, after } = scene();
    copied(1);
    const told = [1, 2, 3, 4, 5, 6, 7].map(() => after(1));
    expect(told.map((one) => one?.bytesPerSecond)).toEqual([
      ...[0, undefined, undefined, undefined, undefined, 0, undefined],
    ]);
    expect(told.filter((one) => one !== undefined)).toHaveLength(2);
  });

  it('an attempt that is begun anew has no negative rate', () => {
    const { copied, after } = scene();
    copied(20);
    after(1);
    copied(3);
    expect(after(1)).toMatchObject({ doneBytes: 3 * MIB });
    copied(5);
    expect(after(1)).toMatchObject({ bytesPerSecond: 2 * MIB });
  });

  it('the next part has a rate of its own, from its beginning on', () => {
    const { telling, copied, after } = scene();
    copied(60);
    after(1);
    telling.at({ part: 'restore', doneBytes: MIB, totalBytes: 8 * MIB });
    expect(telling.due()).toMatchObject({ part: 'restore', doneBytes: MIB });
    telling.at({ part: 'restore', doneBytes: 2 * MIB, totalBytes: 8 * MIB });
    expect(after(1)?.bytesPerSecond).toBe(MIB);
  });

  it('the last word is said once, and nothing after it: an attempt that is deaf goes on', () => {
    const { telling, copied, after } = scene();
    copied(1);
    expect(telling.end(false)).toMatchObject({ state: 'stopped', doneBytes: MIB });
    copied(2);
    expect([after(1), telling.end(true)]).toEqual([undefined, undefined]);
  });

  it('a step that moved nothing has no last word', () => {
    expect(scene().telling.end(true)).toBeUndefined();
  });

  it('what a driver counts wrongly keeps to the catalogue: whole bytes, and never more than all', () => {
    const { telling } = scene();
    telling.at({ part: 'pull', doneBytes: 10.6, totalBytes: 4 });
    expect(telling.due()).toMatchObject({ doneBytes: 11, totalBytes: 11 });
    telling.at({ part: 'pull', doneBytes: -3, totalBytes: 4 });
    expect(telling.due()).toMatchObject({ doneBytes: 0, totalBytes: 4 });
  });
});
