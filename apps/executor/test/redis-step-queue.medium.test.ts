import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { waitFor } from '#kernel';
import { freshRedis, type FreshServer } from '../../../test/support/index.js';
import { RedisStepQueue } from '../src/redis-step-queue.js';

const KEY = 'upg_00000000000000000000000001|hop-1/wave-1/web@a/stop|1';
const OTHER = KEY.replace('web@a', 'web@b');

let redis: FreshServer;
const queues: RedisStepQueue[] = [];
const ran: string[] = [];

beforeEach(async () => {
  redis = await freshRedis();
  ran.length = 0;
});
afterEach(async () => {
  await Promise.all(queues.splice(0).map((queue) => queue.close()));
  await redis.stop();
});

/** Longer than any machine stands still: no sweeper is here that would enqueue again what came too late. */
const PATIENT = { enqueueMs: 60_000 };

function open(concurrency = 4, more: { enqueueMs?: number } = PATIENT): RedisStepQueue {
  const queue = new RedisStepQueue({ url: redis.url, site: 'main', concurrency, ...more });
  queues.push(queue);
  return queue;
}
const run = (key: string): Promise<void> => {
  ran.push(key);
  return Promise.resolve();
};
const until = (count: number) =>
  waitFor(() => ran.length >= count, {
    what: `${count} runs`,
    deadlineMs: 60_000,
    everyMs: 5,
  });

async function wipe(): Promise<void> {
  const client = new Redis(redis.url);
  await client.flushall();
  await client.quit();
}

it('another executor takes the job', async () => {
  open().start(run);
  await open().enqueue(KEY);
  await until(1);
  expect(ran).toEqual([KEY]);
});

it('the same attempt enqueued while it waits is one job; after it ended, another', async () => {
  const queue = open(1);
  await queue.enqueue(KEY);
  await queue.enqueue(KEY);
  await queue.enqueue(OTHER);
  queue.start(run);
  await until(2);
  expect(ran).toEqual([KEY, OTHER]);
  await waitFor(
    async () => {
      await queue.enqueue(KEY);
      return ran.length >= 3;
    },
    { what: 'the job to run again', deadlineMs: 60_000 },
  );
  expect(ran.slice(0, 3)).toEqual([KEY, OTHER, KEY]);
});

it('runs as many at once as it may, and no more', async () => {
  let now = 0;
  let most = 0;
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const queue = open(3);
  queue.start(async (key) => {
    now += 1;
    most = Math.max(most, now);
    await gate;
    now -= 1;
    ran.push(key);
  });
  for (let n = 1; n <= 8; n += 1) await queue.enqueue(`upg|step-${n}|1`);
  await waitFor(() => now === 3, { what: 'three at once', deadlineMs: 60_000 });
  release();
  await until(8);
  expect(most).toBe(3);
});

it('a job lost with the data of Redis is taken when it is enqueued again', async () => {
  const queue = open();
  await queue.enqueue(KEY);
  await wipe();
  queue.start(run);
  await queue.enqueue('upg|other|1');
  await until(1);
  expect(ran).toEqual(['upg|other|1']);
  await queue.enqueue(KEY);
  await until(2);
  expect(ran).toEqual(['upg|other|1', KEY]);
});

it('goes on after Redis was wiped under a waiting worker and a running job', async () => {
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const queue = open();
  queue.start(async (key) => {
    ran.push(key);
    if (key === KEY) await gate;
  });
  await queue.enqueue(KEY);
  await until(1);
  await wipe();
  release();
  await queue.enqueue('upg|other|1');
  await until(2);
  expect(ran).toEqual([KEY, 'upg|other|1']);
});

it('while Redis is away, enqueue resolves soon and says so; when it is back, jobs run', async () => {
  const queue = open(4, {});
  queue.start(run);
  await queue.enqueue('upg|first|1');
  await until(1);
  await redis.server.stop();
  await queue.enqueue(KEY);
  expect(ran).toHaveLength(1);
  await redis.server.restart();
  // as the sweeper does
  await waitFor(
    async () => {
      await queue.enqueue(KEY);
      return ran.includes(KEY);
    },
    { what: 'the job after the restart', deadlineMs: 60_000 },
  );
});

it('closes though Redis is away', async () => {
  const queue = open();
  queue.start(run);
  await queue.enqueue(KEY);
  await until(1);
  await redis.server.stop();
  queues.pop();
  await expect(queue.close()).resolves.toBeUndefined();
});
