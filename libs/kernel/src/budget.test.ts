import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Budget } from './budget.js';

const never = new AbortController().signal;

test('a large share that waits is not overtaken by small ones', async () => {
  const budget = new Budget(4);
  const order: string[] = [];
  const first = await budget.take(3, never);
  const large = budget.take(4, never).then((release) => {
    order.push('large');
    return release;
  });
  const small = budget.take(1, never).then((release) => {
    order.push('small');
    return release;
  });
  await turn();
  expect(order).toEqual([]);
  first();
  (await large)();
  (await small)();
  expect(order).toEqual(['large', 'small']);
});

test('a share is given back once, however often it is said', async () => {
  const budget = new Budget(2);
  const release = await budget.take(1, never);
  release();
  release();
  await budget.take(2, never);
  const controller = new AbortController();
  const third = budget.take(1, controller.signal);
  controller.abort(new Error('called back'));
  await expect(third).rejects.toThrow('called back');
});

test('more than there is gets all of it; who is called back keeps nobody waiting', async () => {
  const budget = new Budget(2);
  const all = await budget.take(99, never);
  const controller = new AbortController();
  const called = budget.take(2, controller.signal);
  const next = budget.take(1, never);
  controller.abort(new Error('called back'));
  await expect(called).rejects.toThrow('called back');
  all();
  (await next)();
});
