import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { LiftlockError, systemIds } from '#kernel';
import { freshDatabase, type FreshDatabase } from '../../../test/support/index.js';
import { StepLog } from '../src/step-log.js';
import { runStep } from './mirror-under-test.js';
import { Barrier, Scene, untilBlocked } from './scene.js';

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

const ask = { after: 0, limit: 100 };

it('lines are kept in their order, across turns in which others are being written, and read in pages', async () => {
  const count = 200;
  const mirror = await scene.start(async ({ log, guard }) => {
    for (let n = 0; n < count; n += 1) {
      log(`line ${n}`, n % 2 === 0 ? 'info' : 'warn');
      if (n % 20 === 0) await guard();
    }
  });
  await mirror.run(runStep(upgrade, 1));
  await scene.untilFinished(upgrade);
  const log = mirror.get(StepLog);
  await log.settle();
  const first = await log.read({ upgrade, after: 0, limit: 150 });
  const rest = await log.read({ upgrade, after: first.at(-1)?.id ?? 0, limit: 150 });
  const texts = [...first, ...rest].map(({ text }) => text);
  expect(texts).toEqual(Array.from({ length: count }, (_, n) => `line ${n}`));
  expect(first[1]).toMatchObject({ level: 'warn', token: 1, stepId: runStep(upgrade, 1).stepId });
});

it('a line that comes while others are being written is written after them', async () => {
  const mirror = await scene.start(() => Promise.resolve());
  const log = mirror.get(StepLog);
  await mirror.source.transaction(async (tx) => {
    await tx.query(`LOCK TABLE step_logs IN ACCESS EXCLUSIVE MODE`);
    log.add(runStep(upgrade, 1), 'first');
    await untilBlocked(mirror);
    log.add(runStep(upgrade, 1), 'second');
  });
  await log.settle();
  const lines = await log.read({ upgrade, ...ask });
  expect(lines.map(({ text }) => text)).toEqual(['first', 'second']);
});

it('lines of the last moment are kept when the service is stopped', async () => {
  const said = new Barrier();
  const leaving = await scene.start(({ log }) => {
    log('a last word');
    said.release();
    return Promise.resolve();
  });
  const other = await scene.start(() => Promise.resolve());
  await leaving.run(runStep(upgrade, 1));
  await said.passed;
  await leaving.close();
  const lines = await other.get(StepLog).read({ upgrade, ...ask });
  expect(lines.map(({ text }) => text)).toEqual(['a last word']);
});

it('a line that is too long is cut, and why an attempt failed is the last line', async () => {
  const mirror = await scene.start(({ log }) => {
    log('x'.repeat(10_000));
    return Promise.reject(new Error('no more'));
  });
  await mirror.run(runStep(upgrade, 1));
  await scene.untilFinished(upgrade);
  const log = mirror.get(StepLog);
  await log.settle();
  const lines = await log.read({ upgrade, stepId: runStep(upgrade, 1).stepId, ...ask });
  expect(lines.map(({ text, level }) => [text.length, level])).toEqual([
    [4_000, 'info'],
    ['internal: no more'.length, 'error'],
  ]);
  expect(await log.read({ upgrade, stepId: 'another/step', ...ask })).toEqual([]);
});

it('what another program wrote is stored as far as it can be, in a line as in a result', async () => {
  const words = 'no licence\0 \u{1F600}'.slice(0, -1);
  const mirror = await scene.start(({ log }) => {
    log(words);
    return Promise.reject(new LiftlockError('container_exited', words, { details: { words } }));
  });
  await mirror.run(runStep(upgrade, 1));
  const [told] = await scene.untilFinished(upgrade);
  const kept = 'no licence\uFFFD \uFFFD';
  expect(told?.data.result).toMatchObject({ error: { message: kept, details: { words: kept } } });
  const log = mirror.get(StepLog);
  await log.settle();
  const lines = await log.read({ upgrade, ...ask });
  expect(lines.map(({ text }) => text)).toEqual([kept, `container_exited: ${kept}`]);
});
