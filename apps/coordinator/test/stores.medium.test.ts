import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DataSource } from 'typeorm';
import { waitFor } from '#kernel';
import { LockStore } from '../src/persistence/lock.store.js';
import { TimerStore } from '../src/persistence/timer.store.js';
import {
  openCoordinatorDatabase,
  type CoordinatorDatabase,
} from './support/coordinator-database.js';

let database: CoordinatorDatabase;
let source: DataSource;

beforeAll(async () => {
  database = await openCoordinatorDatabase();
  ({ source } = database);
});
afterAll(() => database.close());

async function addUpgrade(id: string): Promise<void> {
  await source.query(
    `INSERT INTO upgrades (id, environment, application, release, state, saga, request, requested_by, created_at, updated_at)
     VALUES ($1, 'prod', 'shop', 'shop-2', 'running', '{}', '{}', 'ann', now(), now())`,
    [id],
  );
}

it('a timer that was set anew since it was read is not taken before it is due', async () => {
  const timers = new TimerStore();
  const db = source.manager;
  const now = new Date('2026-11-21T12:00:00.000Z');
  const later = new Date(now.getTime() + 120_000);
  await addUpgrade('upg_1');
  const message = { type: 'deadline' as const, stepId: 'h1/w1/a/stop', token: 1 };
  await timers.set(db, 'upg_1', [{ dueAt: now, message }]);
  const [read] = await timers.due(db, now, true, 10);
  if (read === undefined) throw new Error('it is not due');
  await timers.set(db, 'upg_1', [{ dueAt: later, message: { ...message, token: 2 } }]);
  expect(await timers.take(db, read, now)).toBe(false);
  expect(await timers.due(db, later, true, 10)).toMatchObject([{ message: { token: 2 } }]);
  expect(await timers.take(db, read, later)).toBe(true);
  expect(await timers.take(db, read, later)).toBe(false);
});

it('of two upgrades that come at once the second counts the first, where it asks for one of the same targets', async () => {
  const locks = new LockStore();
  const place = { environment: 'prod', application: 'shop' };
  const counted: Array<[string, number]> = [];
  for (const id of ['one', 'two']) await addUpgrade(id);
  const second = Promise.withResolvers<void>();
  await source.transaction(async (first) => {
    await locks.queueFor(first, 'prod', ['host-b', 'host-a']);
    counted.push(['one', await locks.upgradesOn(first, 'prod', 'host-a', 'one')]);
    void source
      .transaction(async (tx) => {
        await locks.queueFor(tx, 'prod', ['host-a']);
        counted.push(['two', await locks.upgradesOn(tx, 'prod', 'host-a', 'two')]);
      })
      .then(() => second.resolve(), second.reject);
    // another environment, and another target, wait for nobody
    await source.transaction((tx) => locks.queueFor(tx, 'test', ['host-a']));
    await source.transaction((tx) => locks.queueFor(tx, 'prod', ['host-c']));
    await waitFor(
      async () => {
        const waiting = await source.query<unknown[]>(
          `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        );
        return waiting.length === 1;
      },
      { what: 'the second one to wait', deadlineMs: 60_000 },
    );
    const instances = [{ instance: 'web@host-a', target: 'host-a' }];
    await locks.acquire(first, { id: 'one', ...place }, instances);
  });
  await second.promise;
  expect(counted).toEqual([
    ['one', 0],
    ['two', 1],
  ]);
});
