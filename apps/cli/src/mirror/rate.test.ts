import { expect, test } from 'vitest';
import { Rate } from './rate.js';

test('the last few seconds count, and what is begun anew takes nothing away', () => {
  let now = 0;
  const rate = new Rate(() => now);
  expect(rate.perSecond()).toBe(0);
  for (; now < 10_000; now += 10) rate.add(10);
  expect(rate.perSecond()).toBeCloseTo(1_000, -2);
  rate.add(-5_000);
  expect(rate.perSecond()).toBeCloseTo(1_000, -2);
  now += 60_000;
  expect(rate.perSecond()).toBe(0);
});

test('however many pieces come, nobody who does not ask for the rate keeps them all', () => {
  let now = 0;
  const rate = new Rate(() => now);
  for (; now < 100_000; now += 1) rate.add(1);
  expect((rate as unknown as { steps: unknown[] }).steps.length).toBeLessThan(60);
});
