import { expect, it } from 'vitest';
import { waitFor } from '#kernel';
import { LocalStepQueue } from './local-step-queue.js';

const deadline = { deadlineMs: 60_000, everyMs: 1 };

it('an attempt enqueued while its run finds nothing to do is run again', async () => {
  const queue = new LocalStepQueue(1);
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  let runs = 0;
  queue.start(async () => {
    runs += 1;
    if (runs === 1) await gate;
  });
  await queue.enqueue('a|b|1');
  await queue.enqueue('a|b|1');
  await queue.enqueue('a|b|1');
  release();
  await waitFor(() => runs === 2, { what: 'the second run', ...deadline });
  await queue.close();
  expect(runs).toBe(2);
});

it('runs as many at once as it may, and no more', async () => {
  const queue = new LocalStepQueue(2);
  for (let n = 0; n < 10; n += 1) await queue.enqueue(`a|step-${n}|1`);
  let now = 0;
  let most = 0;
  const ended: string[] = [];
  queue.start(async (key) => {
    now += 1;
    most = Math.max(most, now);
    await Promise.resolve();
    now -= 1;
    ended.push(key);
  });
  await waitFor(() => ended.length === 10, { what: 'ten runs', ...deadline });
  expect(most).toBe(2);
  await queue.close();
});

it('begins nothing new when it is closed, and waits for what runs', async () => {
  const queue = new LocalStepQueue(1);
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const log: string[] = [];
  queue.start(async (key) => {
    log.push(`${key} begins`);
    await gate;
    log.push(`${key} ends`);
  });
  await queue.enqueue('first');
  await queue.enqueue('second');
  const closing = queue.close();
  release();
  await closing;
  await queue.enqueue('third');
  expect(log).toEqual(['first begins', 'first ends']);
});
