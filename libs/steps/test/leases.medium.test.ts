import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemIds } from '#kernel';
import { UnitOfWork } from '#persistence';
import { freshDatabase, type FreshDatabase } from '../../../test/support/index.js';
import { Attempt } from '../src/attempt.js';
import { ClaimStore } from '../src/claim.store.js';
import { Runner } from '../src/runner.js';
import { runStep } from './mirror-under-test.js';
import {
  Barrier,
  HeldAction,
  HeldTime,
  Scene,
  acceptOnly,
  claimOf,
  codeOf,
  endLease,
  obedient,
  until,
  untilAborted,
  untilBlocked,
  untilWaiting,
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
afterEach(async () => {
  vi.restoreAllMocks();
  await scene.close();
});
afterAll(() => database.drop());

/** Nothing of this process goes on meanwhile: no heartbeat, no timer. */
function blockEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it('an attempt longer than its lease keeps it by its heartbeat', async () => {
  const held = new HeldAction();
  const leaseMs = 600_000;
  const renewed = vi.spyOn(Attempt.prototype, 'renewed');
  const mirror = await scene.start(held.action, { leaseMs, heartbeatMs: 20, sweepMs: 50 });
  await mirror.run(runStep(upgrade, 1));
  await held.untilAt(1);
  // both clocks: a lease of less than minutes would end whenever the machine stands still for as long
  await until('a lease beyond the first one', async () => {
    const [row] = await mirror.source.query<Array<{ beyond: boolean }>>(
      `SELECT busy_until > started_at + $2 * interval '1 millisecond' AS beyond FROM claims WHERE upgrade = $1`,
      [upgrade, leaseMs],
    );
    return row?.beyond === true || undefined;
  });
  await until('this process to know of it', () => renewed.mock.calls.length > 0 || undefined);
  held.release(1);
  await scene.untilFinished(upgrade);
  expect(held.guards.get(1)).toBe('nothing was thrown');
  expect(scene.outcomes(upgrade)).toEqual([[1, 'succeeded']]);
});

describe('a process that froze for longer than its lease', () => {
  it('may change nothing when it wakes: its guard refuses, and its result is never sent', async () => {
    const awake = new Barrier();
    const end = new Barrier();
    const leaseMs = 500;
    let guard = '';
    const zombie = await scene.start(
      async (context) => {
        blockEventLoop(leaseMs * 1.2);
        guard = await codeOf(context.guard());
        awake.release();
        await end.passed;
      },
      { leaseMs },
    );
    const other = await scene.start(obedient);
    await zombie.run(runStep(upgrade, 1));
    await awake.passed;
    expect(guard).toBe('fenced');
    await other.sweep();
    end.release();
    await scene.untilFinished(upgrade);
    await scene.close();
    expect(scene.outcomes(upgrade)).toEqual([[1, 'lost']]);
  });

  it('is refused by its own clock before PostgreSQL is asked', async () => {
    const leaseMs = 500;
    let guard = '';
    const zombie = await scene.start(
      async (context) => {
        blockEventLoop(leaseMs * 1.2);
        // as if PostgreSQL’s clock went more slowly than this process’s
        await zombie.source.query(
          `UPDATE claims SET busy_until = now() + interval '1 hour' WHERE upgrade = $1`,
          [upgrade],
        );
        guard = await codeOf(context.guard());
      },
      { leaseMs },
    );
    await zombie.run(runStep(upgrade, 1));
    await scene.untilFinished(upgrade);
    expect(guard).toBe('fenced');
  });

  it('reports itself lost when nobody has done it yet, and not failed for good', async () => {
    const mirror = await scene.start(async ({ guard }) => {
      await guard();
      await endLease(mirror, upgrade);
      await guard();
    });
    await mirror.run(runStep(upgrade, 1));
    await scene.untilFinished(upgrade);
    await mirror.sweep();
    await scene.close();
    expect(scene.outcomes(upgrade)).toEqual([[1, 'lost']]);
  });
});

it('PostgreSQL that takes the heartbeat in and never answers: the attempt is told to stop before its lease ends', async () => {
  const mirror = await scene.start(obedient, { leaseMs: 2_000 });
  await mirror.run(runStep(upgrade, 1));
  await untilWaiting(upgrade);
  await mirror.get(UnitOfWork).run(async (tx) => {
    await tx.query('LOCK TABLE claims IN ACCESS EXCLUSIVE MODE');
    await untilAborted(upgrade);
  });
  await scene.untilFinished(upgrade);
  expect(scene.outcomes(upgrade)).toEqual([[1, 'lost']]);
});

it('an old attempt that stops at last does not free the step while a later one of the same process is at work', async () => {
  const held = new HeldAction();
  const mirror = await scene.start(held.action);
  await acceptOnly(mirror, upgrade);
  const first = mirror.get(Runner).run(runStep(upgrade, 1));
  await held.untilAt(1);
  await endLease(mirror, upgrade);
  await mirror.run(runStep(upgrade, 2));
  await held.untilAt(2);
  await mirror.run(runStep(upgrade, 3));
  held.release(1);
  await first;
  expect(await claimOf(mirror, upgrade)).toMatchObject({ state: 'accepted', busy: true });
  held.release(2);
  await held.untilAt(3);
  held.release(3);
  await scene.untilFinished(upgrade);
  expect(scene.outcomes(upgrade)).toEqual([[3, 'succeeded']]);
});

it('an old attempt is refused though its own process runs the later one, and was not told by any command', async () => {
  const held = new HeldAction();
  const mirror = await scene.start(held.action);
  await acceptOnly(mirror, upgrade);
  const first = mirror.get(Runner).run(runStep(upgrade, 1));
  await held.untilAt(1);
  // as another process does that has received the command
  await mirror
    .get(UnitOfWork)
    .run((tx) => mirror.get(ClaimStore).takeOver(tx, runStep(upgrade, 2), 'accepted'));
  await endLease(mirror, upgrade);
  const second = mirror.get(Runner).run(runStep(upgrade, 2));
  await held.untilAt(2);
  held.release(1);
  await first;
  held.release(2);
  await second;
  await scene.untilFinished(upgrade);
  expect([...held.guards]).toEqual([
    [1, 'fenced'],
    [2, 'nothing was thrown'],
  ]);
  expect(scene.outcomes(upgrade)).toEqual([[2, 'succeeded']]);
});

describe('a step’s time is over', () => {
  it('aborts it, and says whether it may have changed anything', async () => {
    using time = new HeldTime();
    const touched = systemIds.next('upg');
    const atWork = new Set<string>();
    const mirror = await scene.start(async (context) => {
      if (context.upgrade === touched) await context.guard();
      atWork.add(context.upgrade);
      await new Promise((_resolve, reject) => {
        context.signal.addEventListener('abort', () => reject(new Error('broken off')));
      });
    });
    await mirror.run(runStep(upgrade, 1, time.seconds));
    await mirror.run(runStep(touched, 1, time.seconds));
    await until('both to be at work', () => atWork.size === 2 || undefined);
    time.end();
    const [untouchedResult] = await scene.untilFinished(upgrade);
    const [touchedResult] = await scene.untilFinished(touched);
    const timeout = expect.objectContaining({ code: 'timeout', retryable: true }) as unknown;
    expect(untouchedResult?.data.result).toEqual({
      outcome: 'failed',
      error: timeout,
      effect: 'none',
    });
    expect(touchedResult?.data.result).toEqual({
      outcome: 'failed',
      error: timeout,
      effect: 'possible',
    });
  });

  it('of one that does not listen: reported all the same, and the step is not free before its lease has ended', async () => {
    using time = new HeldTime();
    const held = new HeldAction();
    const mirror = await scene.start(held.action, { deafMs: 100 });
    await mirror.run(runStep(upgrade, 1, time.seconds));
    await held.untilAt(1);
    time.end();
    const [result] = await scene.untilFinished(upgrade);
    expect(result?.data.result).toMatchObject({ outcome: 'failed', error: { code: 'timeout' } });
    await mirror.run(runStep(upgrade, 2));
    expect(await claimOf(mirror, upgrade)).toMatchObject({ state: 'accepted', busy: true });
    held.release(1);
    await endLease(mirror, upgrade);
    await mirror.run(runStep(upgrade, 2));
    await held.untilAt(2);
    expect(held.guards.get(1)).toBe('timeout');
    held.release(2);
    await scene.untilFinished(upgrade, 2);
  });
});

describe('a service that is stopped', () => {
  it('lets an attempt end that does so soon', async () => {
    const atWork = new Barrier();
    const end = new Barrier();
    // it asks nobody any more when it goes on: that it ends soon is not the machine's to say
    const mirror = await scene.start(
      async ({ guard }) => {
        await guard();
        atWork.release();
        await end.passed;
      },
      { leaveMs: 60_000 },
    );
    await mirror.run(runStep(upgrade, 1));
    await atWork.passed;
    const closing = mirror.close();
    end.release();
    await closing;
    expect(scene.outcomes(upgrade)).toEqual([[1, 'succeeded']]);
  });

  it('begins nothing new', async () => {
    const held = new HeldAction();
    const late = systemIds.next('upg');
    const mirror = await scene.start(held.action);
    await mirror.run(runStep(upgrade, 1));
    await held.untilAt(1);
    await acceptOnly(mirror, late);
    const stopped = mirror.get(Runner).beforeApplicationShutdown();
    await mirror.get(Runner).run(runStep(late, 1));
    held.release(1);
    await stopped;
    expect(await claimOf(mirror, late)).toMatchObject({ state: 'accepted' });
  });

  it('tells an attempt of it that is claimed in the last moment', async () => {
    const late = systemIds.next('upg');
    const mirror = await scene.start(obedient, { leaveMs: 60_000 });
    await mirror.run(runStep(upgrade, 1));
    await until('the first to run', () => scene.started(upgrade)[0]);
    await acceptOnly(mirror, late);
    let running: Promise<void> = Promise.resolve();
    let stopped: Promise<void> = Promise.resolve();
    await mirror.get(UnitOfWork).run(async (tx) => {
      await mirror.get(ClaimStore).getForUpdate(tx, late, runStep(late, 1).stepId);
      running = mirror.get(Runner).run(runStep(late, 1));
      await untilBlocked(mirror);
      stopped = mirror.get(Runner).beforeApplicationShutdown();
      await untilAborted(upgrade);
    });
    await stopped;
    await running;
    await scene.untilFinished(late);
    expect(scene.outcomes(late)).toEqual([[1, 'lost']]);
  });

  it('reports the others lost before it leaves, and another process may run them at once', async () => {
    const deaf = systemIds.next('upg');
    const held = new HeldAction();
    const leaving = await scene.start(
      (context) => (context.upgrade === deaf ? held.action(context) : obedient(context)),
      { leaveMs: 60_000 },
    );
    const next = await scene.start(() => Promise.resolve());
    await leaving.run(runStep(upgrade, 1));
    await leaving.run(runStep(deaf, 1));
    await held.untilAt(1);
    await until('the other to run', () => scene.started(upgrade)[0]);
    await leaving.close();
    expect(scene.outcomes(upgrade)).toEqual([[1, 'lost']]);
    expect(scene.outcomes(deaf)).toEqual([[1, 'lost']]);
    await next.run(runStep(upgrade, 2));
    await scene.untilFinished(upgrade, 2);
    await next.sweep();
    expect(scene.outcomes(upgrade)).toEqual([
      [1, 'lost'],
      [2, 'succeeded'],
    ]);
  });
});

describe('a step that cannot be run', () => {
  it.each([
    ['an unknown action', { action: 'image.paint' }, 'unknown_action'],
    ['another service’s action', { action: 'instance.stop' }, 'invalid_step'],
    ['an input unlike the catalogue’s', { input: { image: 1 } }, 'invalid_step'],
  ] as const)('for %s has failed without effect', async (_what, change, code) => {
    const mirror = await scene.start(() => Promise.resolve());
    const command = runStep(upgrade, 1);
    await mirror.run({ ...command, step: { ...command.step, ...change } });
    const [result] = await scene.untilFinished(upgrade);
    expect(result?.data.result).toEqual({
      outcome: 'failed',
      error: expect.objectContaining({ code, retryable: false }) as unknown,
      effect: 'none',
    });
  });

  it('for an error that is no error of ours is internal, and tried again', async () => {
    const mirror = await scene.start(() => Promise.reject(new TypeError('x is not a function')));
    await mirror.run(runStep(upgrade, 1));
    const [result] = await scene.untilFinished(upgrade);
    expect(result?.data.result).toMatchObject({
      outcome: 'failed',
      error: { code: 'internal', retryable: true },
    });
  });
});
