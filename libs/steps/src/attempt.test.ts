import { afterEach, expect, test, vi } from 'vitest';
import { Attempt } from './attempt.js';

afterEach(() => vi.useRealTimers());

test('a lease that is renewed as its attempt ends is not watched any more: nothing keeps the process', () => {
  vi.useFakeTimers();
  const attempt = new Attempt(performance.now(), 1_000);
  expect(vi.getTimerCount()).toBe(1);
  attempt.close();
  attempt.renewed(performance.now());
  expect(vi.getTimerCount()).toBe(0);
});

test('ends shortly before its lease does, and later where that was renewed', () => {
  vi.useFakeTimers();
  const attempt = new Attempt(performance.now(), 1_000);
  vi.advanceTimersByTime(500);
  attempt.renewed(performance.now());
  vi.advanceTimersByTime(800);
  expect(attempt.signal.aborted).toBe(false);
  vi.advanceTimersByTime(100);
  expect(attempt.signal.reason).toMatchObject({ code: 'fenced' });
});
