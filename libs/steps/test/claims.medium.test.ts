import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LiftlockError, systemIds } from '#kernel';
import { UnitOfWork } from '#persistence';
import { freshDatabase, type FreshDatabase } from '../../../test/support/index.js';
import { ClaimStore } from '../src/claim.store.js';
import { Runner } from '../src/runner.js';
import { runStep, type Action } from './mirror-under-test.js';
import {
  acceptOnly,
  Barrier,
  claimAndDie,
  claimOf,
  endLease,
  HeldAction,
  Scene,
  until,
  untilBlocked,
} from './scene.js';

let database: FreshDatabase;
let scene: Scene;

beforeAll(async () => {
  database = await freshDatabase();
});
beforeEach(() => {
  scene = new Scene(database.url('mirror'));
});
afterEach(() => scene.close());
afterAll(() => database.drop());

const newUpgrade = (): string => systemIds.next('upg');

describe('a greater token', () => {
  it('fences the attempt of another process: its guard refuses, its result is never sent, and the new one begins when it has stopped', async () => {
    const upgrade = newUpgrade();
    const held = new HeldAction();
    const first = await scene.start(held.action);
    const second = await scene.start(held.action);
    await first.run(runStep(upgrade, 1));
    await held.untilAt(1);
    await until('its start to be told', () => scene.started(upgrade)[0]);
    await second.run(runStep(upgrade, 2));
    // the old one may still be at work: nobody may begin
    const third = await scene.start(() => Promise.resolve());
    await third.get(Runner).run(runStep(upgrade, 2));
    expect(await claimOf(first, upgrade)).toMatchObject({
      token: 2,
      state: 'accepted',
      busy: true,
    });
    expect(held.contexts.has(2)).toBe(false);
    held.release(1);
    await held.untilAt(2);
    expect(held.guards.get(1)).toBe('fenced');
    held.release(2);
    await scene.untilFinished(upgrade);
    expect(held.guards.get(2)).toBe('nothing was thrown');
    expect(scene.outcomes(upgrade)).toEqual([[2, 'succeeded']]);
    expect(scene.started(upgrade).map(({ data }) => data.token)).toEqual([1, 2]);
  });

  it('aborts the attempt of its own process at once', async () => {
    const upgrade = newUpgrade();
    const reasons: string[] = [];
    const atWork = new Barrier();
    const mirror = await scene.start(async ({ token, signal }) => {
      if (token > 1) return;
      atWork.release();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      reasons.push(LiftlockError.from(signal.reason).code);
      throw new Error('stopped');
    });
    await mirror.run(runStep(upgrade, 1));
    await atWork.passed;
    await mirror.run(runStep(upgrade, 2));
    await scene.untilFinished(upgrade);
    expect(reasons).toEqual(['fenced']);
    expect(scene.outcomes(upgrade)).toEqual([[2, 'succeeded']]);
  });

  it('begins when the lease of a dead owner has ended, without waiting for the sweeper to tell of it', async () => {
    const upgrade = newUpgrade();
    const mirror = await scene.start(() => Promise.resolve());
    await claimAndDie(mirror, upgrade);
    await endLease(mirror, upgrade);
    await mirror.run(runStep(upgrade, 2));
    await scene.untilFinished(upgrade);
    await mirror.sweep();
    expect(scene.outcomes(upgrade)).toEqual([[2, 'succeeded']]);
  });
});

it('a command with a smaller token changes nothing, whatever the state of the claim', async () => {
  const upgrade = newUpgrade();
  const held = new HeldAction();
  const mirror = await scene.start(held.action);
  await mirror.run(runStep(upgrade, 2));
  await held.untilAt(2);
  const running = await claimOf(mirror, upgrade);
  await mirror.run(runStep(upgrade, 1));
  await mirror.revoke(runStep(upgrade, 1));
  expect(await claimOf(mirror, upgrade)).toEqual(running);
  held.release(2);
  await scene.untilFinished(upgrade);
  const ended = await claimOf(mirror, upgrade);
  await mirror.run(runStep(upgrade, 1));
  await mirror.revoke(runStep(upgrade, 1));
  expect(await claimOf(mirror, upgrade)).toEqual(ended);
  await mirror.close();
  expect(held.contexts.has(1)).toBe(false);
  expect(held.guards.get(2)).toBe('nothing was thrown');
  expect(scene.finished(upgrade)).toHaveLength(1);
});

describe('the same token again', () => {
  it('while it runs does nothing; when it has finished sends the same result under a new id', async () => {
    const upgrade = newUpgrade();
    let runs = 0;
    const held = new HeldAction();
    const mirror = await scene.start((context) => {
      runs += 1;
      return held.action(context);
    });
    await mirror.run(runStep(upgrade, 1));
    await held.untilAt(1);
    await mirror.run(runStep(upgrade, 1));
    expect(scene.finished(upgrade)).toHaveLength(0);
    held.release(1);
    await scene.untilFinished(upgrade);
    await mirror.run(runStep(upgrade, 1));
    const [one, again] = await scene.untilFinished(upgrade, 2);
    expect(again?.data).toEqual(one?.data);
    expect(again?.id).not.toBe(one?.id);
    expect(runs).toBe(1);
    expect(scene.started(upgrade)).toHaveLength(1);
  });

  it('at two processes at once is run by one', async () => {
    const upgrades = Array.from({ length: 20 }, newUpgrade);
    const runs: string[] = [];
    const action: Action = ({ upgrade }) => {
      runs.push(upgrade);
      return Promise.resolve();
    };
    const two = [await scene.start(action), await scene.start(action)];
    await Promise.all(
      upgrades.flatMap((upgrade) => two.map((mirror) => mirror.run(runStep(upgrade, 1)))),
    );
    for (const upgrade of upgrades) await scene.untilFinished(upgrade);
    expect(runs.toSorted()).toEqual(upgrades.toSorted());
  });
});

it('a greater token that comes in the very moment of the first claim is not dropped', async () => {
  const upgrade = newUpgrade();
  const mirror = await scene.start(() => Promise.resolve());
  const claims = mirror.get(ClaimStore);
  let greater: Promise<void> = Promise.resolve();
  await mirror.get(UnitOfWork).run(async (tx) => {
    await claims.insert(tx, runStep(upgrade, 1), 'accepted');
    greater = mirror.run(runStep(upgrade, 2));
    await untilBlocked(mirror);
  });
  await greater;
  await scene.untilFinished(upgrade);
  expect(scene.finished(upgrade).map(({ data }) => data.token)).toEqual([2]);
});

describe('an owner that died', () => {
  it('is told of as lost exactly once, with two sweepers at once', async () => {
    const upgrades = Array.from({ length: 30 }, newUpgrade);
    const first = await scene.start(() => Promise.resolve());
    const second = await scene.start(() => Promise.resolve());
    for (const upgrade of upgrades) {
      await claimAndDie(first, upgrade);
      await endLease(first, upgrade);
    }
    await Promise.all([first.sweep(), second.sweep(), first.sweep(), second.sweep()]);
    for (const upgrade of upgrades) await scene.untilFinished(upgrade);
    await Promise.all([first.sweep(), second.sweep()]);
    await scene.close();
    for (const upgrade of upgrades) {
      expect(scene.finished(upgrade).map(({ data }) => data.result)).toEqual([
        expect.objectContaining({ outcome: 'lost' }),
      ]);
    }
  });

  it('is no other sweeper’s while one has it in hand', async () => {
    const upgrade = newUpgrade();
    const mirror = await scene.start(() => Promise.resolve());
    await claimAndDie(mirror, upgrade);
    await endLease(mirror, upgrade);
    const claims = mirror.get(ClaimStore);
    const work = mirror.get(UnitOfWork);
    const seen = await work.run(async (one) => [
      await claims.expired(one, 10),
      await work.run((other) => claims.expired(other, 10)),
    ]);
    expect(seen.map((found) => found.map((claim) => claim.upgrade))).toEqual([[upgrade], []]);
  });

  it('is told of again when the coordinator asks for the token again', async () => {
    const upgrade = newUpgrade();
    const mirror = await scene.start(() => Promise.resolve());
    await claimAndDie(mirror, upgrade);
    await endLease(mirror, upgrade);
    await mirror.sweep();
    await mirror.run(runStep(upgrade, 1));
    const results = await scene.untilFinished(upgrade, 2);
    expect(results.map(({ data }) => data.result.outcome)).toEqual(['lost', 'lost']);
  });
});

it('a claim whose job the queue has lost is run after a sweep', async () => {
  const upgrade = newUpgrade();
  const mirror = await scene.start(() => Promise.resolve(), { sweepMs: 600_000 });
  await acceptOnly(mirror, upgrade);
  await mirror.sweep();
  expect(await claimOf(mirror, upgrade)).toMatchObject({ state: 'accepted' });
  await mirror.source.query(
    `UPDATE claims SET enqueued_at = now() - interval '1 hour' WHERE upgrade = $1`,
    [upgrade],
  );
  await mirror.sweep();
  await scene.untilFinished(upgrade);
});
