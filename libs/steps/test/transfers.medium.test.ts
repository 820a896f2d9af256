import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { systemIds } from '#kernel';
import { progressSubject, type ProgressData } from '#contracts';
import { Bus } from '#bus';
import {
  freshDatabase,
  freshNats,
  type FreshDatabase,
  type FreshNats,
} from '../../../test/support/index.js';
import { runStep } from './mirror-under-test.js';
import {
  Barrier,
  HeldAction,
  obedient,
  Scene,
  until,
  untilAborted,
  untilWaiting,
} from './scene.js';

let database: FreshDatabase;
let nats: FreshNats;
let gateway: Bus;
let bus: Bus;
let scene: Scene;
let upgrade: string;
const heard: ProgressData<'step-transfer'>[] = [];
const heardOf = () => heard.filter((one) => one.upgrade === upgrade);

async function open(app: 'gateway' | 'mirror'): Promise<Bus> {
  const { user, pass } = nats.user(app);
  return Bus.open({ app, site: 'main', url: nats.url, user, password: pass });
}

beforeAll(async () => {
  [database, nats] = await Promise.all([freshDatabase(), freshNats()]);
  gateway = await open('gateway');
  const all = { environment: '*', application: '*', upgrade: '*' };
  gateway.nats.subscribe(progressSubject('step-transfer', all), {
    callback: (_error, message) => void heard.push(message.json()),
  });
  await gateway.nats.flush();
});
beforeEach(async () => {
  scene = new Scene(database.url('mirror'));
  upgrade = systemIds.next('upg');
  bus = await open('mirror');
});
afterEach(async () => {
  await scene.close();
  await bus.onApplicationShutdown();
});
afterAll(async () => {
  await gateway.onApplicationShutdown();
  await nats.stop();
  await database.drop();
});

it('a transfer that is asked a thousand times a second is told once a second, and once more when its step has succeeded', async () => {
  const enough = new Barrier();
  const mirror = await scene.start(
    async ({ transfer }) => {
      let doneBytes = 0;
      const chunks = setInterval(
        () => transfer({ part: 'pull', doneBytes: (doneBytes += 10), totalBytes: 1_000_000 }),
        1,
      );
      await enough.passed;
      clearInterval(chunks);
    },
    { bus },
  );
  const began = performance.now();
  await mirror.run(runStep(upgrade, 1));
  await until('three messages', () => heardOf().length >= 3 || undefined);
  enough.release();
  await scene.untilFinished(upgrade);
  await until('the last word', () => heardOf().at(-1)?.state === 'done' || undefined);
  const running = heardOf().filter(({ state }) => state === 'running');
  expect(heardOf()).toHaveLength(running.length + 1);
  // however slow the machine is, a message more takes a second more; timers count whole milliseconds
  expect(running.length).toBeLessThanOrEqual((performance.now() - began) / 990);
  expect(running.at(-1)).toMatchObject({
    ...{ upgrade, environment: 'prod', application: 'shop', part: 'pull', token: 1 },
    ...{ stepId: runStep(upgrade, 1).stepId, totalBytes: 1_000_000 },
    bytesPerSecond: expect.any(Number) as number,
  });
});

it('one that is called back says so at once', async () => {
  const mirror = await scene.start(
    async (context) => {
      context.transfer({ part: 'pull', doneBytes: 1, totalBytes: 2 });
      await obedient(context);
    },
    { bus },
  );
  await mirror.run(runStep(upgrade, 1));
  await untilWaiting(upgrade);
  await mirror.revoke(runStep(upgrade, 2));
  await untilAborted(upgrade);
  await until('the last word', () => heardOf().at(-1)?.state === 'stopped' || undefined);
  expect(heardOf().filter(({ state }) => state === 'stopped')).toMatchObject([{ token: 1 }]);
});

it('one that is deaf to its end tells nothing more, so that the attempt which takes over is not spoken over', async () => {
  const held = new HeldAction();
  const mirror = await scene.start(held.action, { bus });
  await mirror.run(runStep(upgrade, 1));
  const deaf = await held.untilAt(1);
  deaf.transfer({ part: 'pull', doneBytes: 1, totalBytes: 2 });
  await mirror.revoke(runStep(upgrade, 2));
  await until('the last word', () => heardOf().at(-1)?.state === 'stopped' || undefined);
  const before = heardOf().length;
  deaf.transfer({ part: 'pull', doneBytes: 2, totalBytes: 2 });
  held.release(1);
  await scene.untilFinished(upgrade);
  // all that was said has been heard
  await bus.nats.flush();
  await gateway.nats.flush();
  expect(heardOf()).toHaveLength(before);
});

it('while the broker is away steps run as ever, and what they moved meanwhile is not told afterwards', async () => {
  const mirror = await scene.start(
    ({ transfer }) => {
      transfer({ part: 'pull', doneBytes: 1, totalBytes: 2 });
      return Promise.resolve();
    },
    { bus },
  );
  await nats.server.kill();
  await until('the loss to be seen', () => !bus.isConnected() || undefined);
  await mirror.run(runStep(upgrade, 1));
  await scene.untilFinished(upgrade);
  await nats.server.restart();
  await until('both to be back', () => (bus.isConnected() && gateway.isConnected()) || undefined);
  expect(scene.outcomes(upgrade)).toEqual([[1, 'succeeded']]);
  await gateway.nats.flush();
  // whatever this process kept for later would come before it
  const later = systemIds.next('upg');
  bus.tell('step-transfer', {
    ...{ ...runStep(later, 1), part: 'pull', state: 'running' },
    ...{ doneBytes: 1, totalBytes: 2, at: new Date().toISOString() },
  });
  await until('what is said later', () =>
    heard.some((one) => one.upgrade === later) ? true : undefined,
  );
  expect(heardOf()).toEqual([]);
});
