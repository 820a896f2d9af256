import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { repeat } from './repeat.js';

describe('what is repeated', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is done every so often, one at a time', async () => {
    const begun: Array<PromiseWithResolvers<void>> = [];
    const repeated = repeat(
      100,
      () => {
        const one = Promise.withResolvers<void>();
        begun.push(one);
        return one.promise;
      },
      () => undefined,
    );
    expect(begun).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(350);
    repeated.now();
    expect(begun).toHaveLength(1);
    begun[0]?.resolve();
    await vi.advanceTimersByTimeAsync(100);
    expect(begun).toHaveLength(2);
    begun[1]?.resolve();
    await repeated.end();
  });

  it('goes on after one that failed, which is told of', async () => {
    const errors: unknown[] = [];
    const failing = (): Promise<void> => Promise.reject(new Error('away'));
    const repeated = repeat(100, failing, (error) => errors.push(error));
    await vi.advanceTimersByTimeAsync(250);
    expect(errors).toEqual([new Error('away'), new Error('away')]);
    await repeated.end();
  });

  it('has ended when the last one has', async () => {
    const one = Promise.withResolvers<void>();
    let times = 0;
    const work = (): Promise<void> => {
      times += 1;
      return one.promise;
    };
    const repeated = repeat(100, work, () => undefined);
    repeated.now();
    let hasEnded = false;
    const end = repeated.end().then(() => (hasEnded = true));
    await vi.advanceTimersByTimeAsync(500);
    expect(hasEnded).toBe(false);
    one.resolve();
    await end;
    expect(times).toBe(1);
  });
});
