import { expect, test } from 'vitest';
import { BackOff, retryAfterMs } from './back-off.js';

test('what is asked for is waited for, by all', async () => {
  const backOff = new BackOff({ baseMs: 1 });
  const asked = await backOff.ready(undefined);
  const before = performance.now();
  backOff.failed(asked, 200);
  await Promise.all([backOff.ready(undefined), backOff.ready(undefined)]);
  expect(performance.now() - before).toBeGreaterThanOrEqual(199);
});

test('a burst of failures counts once: the pause does not double with each', async () => {
  const backOff = new BackOff({ baseMs: 20, maxMs: 60_000 });
  const asked = await backOff.ready(undefined);
  for (let request = 0; request < 30; request += 1) backOff.failed(asked);
  const before = performance.now();
  await backOff.ready(AbortSignal.timeout(30_000));
  // thirty doublings would be longer than anybody lives
  expect(performance.now() - before).toBeLessThan(30_000);
});

test('who waits can be called back', async () => {
  const backOff = new BackOff();
  backOff.failed(await backOff.ready(undefined), 60_000);
  await expect(backOff.ready(AbortSignal.timeout(20))).rejects.toThrow(/abort|timeout/i);
});

test.each([
  ['3', 3_000],
  ['Thu, 01 Jan 1970 00:00:10 GMT', 10_000],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %j is %j ms', (header, ms) => {
  expect(retryAfterMs(header, 0)).toBe(ms);
});
