import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitFor } from '#kernel';
import { CoordinatorScene, SetClock } from './support/coordinator-scene.js';
import { waitingPlan } from './support/waiting-plan.js';

const FRIDAY = '2026-11-27T12:00:00.000Z';
/** Steps of these plans have a week. */
const TEN_DAYS_LATER = '2026-12-07T12:00:00.000Z';
const clock = new SetClock(FRIDAY);
let scene: CoordinatorScene;
beforeAll(async () => {
  scene = await CoordinatorScene.open(clock);
});
afterAll(() => scene.close());

it('a deadline that went by while no coordinator ran waits for what was told meanwhile', async () => {
  const { id } = await scene.begin(waitingPlan('away'));
  const first = 'h1/w1/a/replace';
  const timersOf = () =>
    scene.sql<{ key: string; due_at: Date }>(
      `SELECT key, due_at FROM timers WHERE upgrade = $1 AND key LIKE 'deadline%'`,
      [id],
    );
  expect(await timersOf()).toMatchObject([{ key: `deadline ${first}` }]);
  await scene.stop();
  clock.set(TEN_DAYS_LATER);
  await scene.start(2);
  await waitFor(async () => (await timersOf()).every(({ due_at }) => due_at > clock.now()), {
    what: 'the deadline to be put off',
    deadlineMs: 60_000,
  });
  await scene.finish(id, first);
  await scene.finish(id, 'h1/w2/b/replace');
  await scene.until(id, 'succeeded');
  const types = (await scene.events(id)).map(({ type }) => type);
  expect(types.filter((type) => type.startsWith('step-'))).toEqual([
    ...['step-dispatched', 'step-succeeded', 'step-dispatched', 'step-succeeded'],
  ]);
});
