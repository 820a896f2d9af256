import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LiftlockError, systemIds } from '#kernel';
import { UnitOfWork } from '#persistence';
import { freshDatabase, type FreshDatabase } from '../../../test/support/index.js';
import { ClaimStore } from '../src/claim.store.js';
import { Runner } from '../src/runner.js';
import { runStep } from './mirror-under-test.js';
import {
  acceptOnly,
  Barrier,
  claimAndDie,
  claimOf,
  endLease,
  HeldAction,
  obedient,
  Scene,
  untilBlocked,
} from './scene.js';

let database: FreshDatabase;
let scene: Scene;
let upgrade: string;

beforeAll(async () => {
  database = await freshDatabase();
});
beforeEach(() => {
  scene = new Scene(database.url('mirror'));
  upgrade = systemIds.next('upg');
});
afterEach(() => scene.close());
afterAll(() => database.drop());

/** The answers to revocations, as the coordinator counts them. */
const answers = () => scene.finished(upgrade).map(({ data }) => [data.token, data.result]);
const revokedAt = (token: number, began: boolean) => [token, { outcome: 'revoked', began }];

describe('a step without a claim', () => {
  it('is fenced before it could come: nothing began, and the late command is never run', async () => {
    const ran: number[] = [];
    const mirror = await scene.start(({ token }) => {
      ran.push(token);
      return Promise.resolve();
    });
    await mirror.revoke(runStep(upgrade, 2));
    await scene.untilFinished(upgrade);
    await mirror.run(runStep(upgrade, 1));
    await mirror.sweep();
    expect(await claimOf(mirror, upgrade)).toMatchObject({ token: 2, state: 'revoked' });
    // and it is not dead: a greater token runs
    await mirror.run(runStep(upgrade, 3));
    await scene.untilFinished(upgrade, 2);
    expect(ran).toEqual([3]);
    expect(scene.outcomes(upgrade)).toEqual([
      [2, 'revoked'],
      [3, 'succeeded'],
    ]);
    expect(answers()[0]).toEqual(revokedAt(2, false));
  });

  it('is answered again under a new id when the revocation comes again', async () => {
    const mirror = await scene.start(obedient);
    await mirror.revoke(runStep(upgrade, 2));
    await mirror.revoke(runStep(upgrade, 2));
    const [one, again] = await scene.untilFinished(upgrade, 2);
    expect(answers()).toEqual([revokedAt(2, false), revokedAt(2, false)]);
    expect(again?.id).not.toBe(one?.id);
  });

  it('whose first command comes in the same moment is fenced all the same', async () => {
    const mirror = await scene.start(obedient);
    let revoking: Promise<void> = Promise.resolve();
    await mirror.get(UnitOfWork).run(async (tx) => {
      await mirror.get(ClaimStore).insert(tx, runStep(upgrade, 1), 'accepted');
      revoking = mirror.revoke(runStep(upgrade, 2));
      await untilBlocked(mirror);
    });
    await revoking;
    await scene.untilFinished(upgrade);
    expect(answers()).toEqual([revokedAt(2, false)]);
    expect(await claimOf(mirror, upgrade)).toMatchObject({ token: 2, state: 'revoked' });
  });
});

it('a step that is accepted and not begun is answered at once, and its job finds nothing to run', async () => {
  const ran: number[] = [];
  const mirror = await scene.start(({ token }) => {
    ran.push(token);
    return Promise.resolve();
  });
  await acceptOnly(mirror, upgrade);
  await mirror.revoke(runStep(upgrade, 2));
  await mirror.get(Runner).run(runStep(upgrade, 1));
  await mirror.get(Runner).run(runStep(upgrade, 2));
  await scene.untilFinished(upgrade);
  expect(answers()).toEqual([revokedAt(2, false)]);
  expect(ran).toEqual([]);
  expect(scene.started(upgrade)).toEqual([]);
});

describe('a step that runs', () => {
  it('in this process is told to stop, and answered when it has', async () => {
    const atWork = new Barrier();
    const told = new Barrier();
    const stop = new Barrier();
    const mirror = await scene.start(async ({ signal }) => {
      signal.addEventListener('abort', () => told.release());
      atWork.release();
      await stop.passed;
      throw LiftlockError.from(signal.reason);
    });
    await mirror.run(runStep(upgrade, 1));
    await atWork.passed;
    await mirror.revoke(runStep(upgrade, 2));
    await told.passed;
    // neither another revocation nor a sweep may say that nothing runs any more
    await mirror.revoke(runStep(upgrade, 2));
    await mirror.sweep();
    expect(await claimOf(mirror, upgrade)).toMatchObject({ state: 'revoking', busy: true });
    stop.release();
    await scene.untilFinished(upgrade);
    await scene.close();
    expect(answers()).toEqual([revokedAt(2, true)]);
  });

  it('in another process is answered when its guard has stopped it', async () => {
    const held = new HeldAction();
    const running = await scene.start(held.action);
    const other = await scene.start(held.action);
    await running.run(runStep(upgrade, 1));
    await held.untilAt(1);
    await other.revoke(runStep(upgrade, 2));
    await other.sweep();
    expect(await claimOf(other, upgrade)).toMatchObject({ state: 'revoking', busy: true });
    held.release(1);
    await scene.untilFinished(upgrade);
    await scene.close();
    expect(held.guards.get(1)).toBe('fenced');
    expect(answers()).toEqual([revokedAt(2, true)]);
  });

  it('and whose process is gone is answered once, when the lease has ended', async () => {
    const mirror = await scene.start(obedient);
    const other = await scene.start(obedient);
    await claimAndDie(mirror, upgrade);
    await mirror.revoke(runStep(upgrade, 2));
    await Promise.all([mirror.sweep(), other.sweep()]);
    expect(await claimOf(mirror, upgrade)).toMatchObject({ state: 'revoking', busy: true });
    await endLease(mirror, upgrade);
    await Promise.all([mirror.sweep(), other.sweep(), mirror.sweep()]);
    await scene.untilFinished(upgrade);
    await scene.close();
    expect(answers()).toEqual([revokedAt(2, true)]);
  });

  it('and whose lease has ended already is answered at once', async () => {
    const mirror = await scene.start(obedient);
    await claimAndDie(mirror, upgrade);
    await endLease(mirror, upgrade);
    await mirror.revoke(runStep(upgrade, 2));
    await scene.untilFinished(upgrade);
    expect(answers()).toEqual([revokedAt(2, true)]);
  });
});

describe('a step that has finished', () => {
  it('counts as begun, though it never asked its guard', async () => {
    const mirror = await scene.start(() => Promise.resolve());
    await mirror.run(runStep(upgrade, 1));
    await scene.untilFinished(upgrade);
    await mirror.revoke(runStep(upgrade, 2));
    await scene.untilFinished(upgrade, 2);
    expect(answers()[1]).toEqual(revokedAt(2, true));
  });

  it('by a failure before it changed anything has not begun', async () => {
    const mirror = await scene.start(() =>
      Promise.reject(new LiftlockError('target_unreachable', 'not there')),
    );
    await mirror.run(runStep(upgrade, 1));
    await scene.untilFinished(upgrade);
    await mirror.revoke(runStep(upgrade, 2));
    await scene.untilFinished(upgrade, 2);
    expect(answers()[1]).toEqual(revokedAt(2, false));
  });

  it('counts as begun, though a later token was accepted and never began', async () => {
    const mirror = await scene.start(() => Promise.resolve());
    await mirror.run(runStep(upgrade, 1));
    await scene.untilFinished(upgrade);
    await mirror
      .get(UnitOfWork)
      .run((tx) => mirror.get(ClaimStore).takeOver(tx, runStep(upgrade, 2), 'accepted'));
    await mirror.revoke(runStep(upgrade, 3));
    await scene.untilFinished(upgrade, 2);
    expect(answers()[1]).toEqual(revokedAt(3, true));
  });
});
