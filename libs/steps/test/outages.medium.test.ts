import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { systemIds } from '#kernel';
import { provisionDatabase } from '#fleet';
import { freshPostgres, type FreshServer } from '../../../test/support/index.js';
import { runStep } from './mirror-under-test.js';
import { HeldAction, obedient, Scene, until, untilAborted, untilWaiting } from './scene.js';

let postgres: FreshServer;
let url: string;
let scene: Scene;
let upgrade: string;

beforeAll(async () => {
  postgres = await freshPostgres();
  ({ mirror: url } = await provisionDatabase(postgres.url, { mirror: 'secret' }));
});
beforeEach(() => {
  scene = new Scene(url);
  upgrade = systemIds.next('upg');
});
afterEach(async () => {
  if (!postgres.server.isRunning()) await postgres.server.restart();
  await scene.close();
});
afterAll(() => postgres.stop());

it.each(['stop', 'kill'] as const)(
  'PostgreSQL is away for less than the lease (%s): the attempt goes on, and its result is sent once',
  async (end) => {
    const held = new HeldAction();
    const mirror = await scene.start(held.action, { sweepMs: 50 });
    await mirror.run(runStep(upgrade, 1));
    await held.untilAt(1);
    await postgres.server[end]();
    await postgres.server.restart();
    held.release(1);
    await scene.untilFinished(upgrade);
    await mirror.sweep();
    await scene.close();
    expect(scene.outcomes(upgrade)).toEqual([[1, 'succeeded']]);
  },
);

it('a result that comes while PostgreSQL is away is sent when it is back', async () => {
  const held = new HeldAction();
  let ended = false;
  const mirror = await scene.start(async (context) => {
    await held.action(context);
    ended = true;
  });
  await mirror.run(runStep(upgrade, 1));
  await held.untilAt(1);
  await postgres.server.stop();
  held.release(1);
  await until('the action to end', () => ended || undefined);
  await postgres.server.restart();
  await scene.untilFinished(upgrade);
  await scene.close();
  // who cannot ask may not change anything
  expect(held.guards.get(1)).toBe('unavailable');
  expect(scene.outcomes(upgrade)).toEqual([[1, 'succeeded']]);
});

it('PostgreSQL is away for longer than the lease: the attempt is stopped before its end, and is lost, not failed for good', async () => {
  const mirror = await scene.start(obedient, { leaseMs: 1_000, sweepMs: 50 });
  const other = await scene.start(obedient, { sweepMs: 50 });
  await mirror.run(runStep(upgrade, 1));
  await untilWaiting(upgrade);
  await postgres.server.stop();
  await untilAborted(upgrade);
  await postgres.server.restart();
  await scene.untilFinished(upgrade);
  await Promise.all([mirror.sweep(), other.sweep()]);
  await scene.close();
  expect(scene.outcomes(upgrade)).toEqual([[1, 'lost']]);
});

it('a command that comes while PostgreSQL is away is refused, to be delivered again', async () => {
  const mirror = await scene.start(() => Promise.resolve());
  await mirror.run(runStep(upgrade, 1));
  await scene.untilFinished(upgrade);
  await postgres.server.stop();
  await expect(mirror.run(runStep(upgrade, 2))).rejects.toMatchObject({
    code: 'unavailable',
    retryable: true,
  });
  await expect(mirror.revoke(runStep(upgrade, 2))).rejects.toMatchObject({ code: 'unavailable' });
  await postgres.server.restart();
  await mirror.run(runStep(upgrade, 2));
  await scene.untilFinished(upgrade, 2);
});

it('a service that is stopped while PostgreSQL is away leaves in time', async () => {
  const held = new HeldAction();
  const mirror = await scene.start(held.action);
  await mirror.run(runStep(upgrade, 1));
  await held.untilAt(1);
  await postgres.server.stop();
  const left = await Promise.race([
    mirror.close().then(() => 'left'),
    new Promise((resolve) => setTimeout(resolve, 60_000, 'still there').unref()),
  ]);
  expect(left).toBe('left');
  expect(scene.finished(upgrade)).toEqual([]);
});
