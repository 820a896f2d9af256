import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { check as checkSchema } from '#contracts';
import { dockerDriver } from '#drivers/docker';
import type { Driver } from '#drivers/core';
import { freePort } from '#fleet';
import { LiftlockError, waitFor } from '#kernel';
import { cleanUp, openEngine, type ContainerInfo } from '../../../../test/support/engine-client.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextOf, crashAt } from '../../../../test/support/step-context.js';
import { expectToFindItself, REFERENCE, startInstance, type Started } from './upgrade-scene.js';

const PREFIX = 'dkupg';
let docker: Docker;
let endpoint: string;
let driver: Driver;
let oldImage: string;
let newImage: string;

beforeAll(async () => {
  ({ docker, endpoint } = await openEngine());
  driver = await dockerDriver();
  oldImage = await serviceImage(docker, 'liftlock-test-service:1.0', '1.0');
  newImage = await serviceImage(docker, REFERENCE, '2.0');
});
afterEach(() => cleanUp(docker, PREFIX));
afterAll(async () => {
  await driver?.close();
  for (const id of [oldImage, newImage]) await docker.getImage(id).remove({ force: true });
});

const startOld = (name: string, settings?: object): Promise<Started> =>
  startInstance({ docker, endpoint, driver, oldImage, newImage }, `${PREFIX}-${name}`, settings);

const inspect = (nameOrId: string): Promise<ContainerInfo> =>
  docker.getContainer(nameOrId).inspect();

/** Names of all containers of a test, and what of ours is left on the engine for one upgrade. */
async function namesOf(started: Started): Promise<string[]> {
  const listed = await docker.listContainers({ all: true });
  return listed
    .flatMap(({ Names }) => Names.map((name) => name.slice(1)))
    .filter((name) => name.startsWith(started.container))
    .toSorted();
}
async function expectNoMarks(started: Started): Promise<void> {
  const { upgrade } = started.attempt();
  const filters = { label: [`dev.liftlock.upgrade=${upgrade}`, 'dev.liftlock.role=mark'] };
  expect((await docker.listVolumes({ filters })).Volumes ?? []).toEqual([]);
}

describe('an upgrade', () => {
  test('goes there and back, and leaves the old container as it was', async () => {
    const one = await startOld('there');
    const before = await inspect(one.containerId);
    expect((await one.stop()).found).toBe('done_now');
    const stopped = await inspect(one.containerId);
    expect(stopped.State.Running).toBe(false);
    expect(stopped.HostConfig.RestartPolicy?.Name).toBe('no');
    expect((await one.replace()).found).toBe('done_now');
    const fresh = await inspect(one.container);
    expect(fresh).toMatchObject({ Image: newImage, State: { Running: true } });
    expect(fresh.HostConfig.RestartPolicy?.Name).toBe('always');
    expect(fresh.Config.Env).toContain('VERSION=2.0');
    const kept = await inspect(one.keptName);
    expect(kept).toMatchObject({ Id: one.containerId, State: { Running: false } });
    expect(kept.HostConfig.RestartPolicy?.Name).toBe('no');
    expect((await one.stopNew()).found).toBe('done_now');
    expect((await one.restoreOld()).found).toBe('done_now');
    const after = await inspect(one.container);
    expect(after).toMatchObject({ Id: one.containerId, State: { Running: true } });
    expect(after.HostConfig).toEqual(before.HostConfig);
    expect(after.Config).toEqual(before.Config);
    expect((await one.removeNew()).found).toBe('done_now');
    expect(await namesOf(one)).toEqual([one.container]);
    await expectNoMarks(one);
  });

  test('cut off after any single change finds itself again, forward and back', async () => {
    const one = await startOld('cut-back');
    const before = await inspect(one.containerId);
    expect(await expectToFindItself(one.stop)).toBeGreaterThanOrEqual(2);
    expect(await expectToFindItself(one.replace)).toBeGreaterThanOrEqual(2);
    const fresh = await inspect(one.container);
    expect(fresh).toMatchObject({ Image: newImage, State: { Running: true } });
    expect(await namesOf(one)).toEqual([one.container, one.keptName]);
    expect(await expectToFindItself(one.stopNew)).toBeGreaterThanOrEqual(1);
    expect(await expectToFindItself(one.restoreOld)).toBeGreaterThanOrEqual(3);
    const after = await inspect(one.container);
    expect(after).toMatchObject({ Id: one.containerId, State: { Running: true } });
    expect(after.HostConfig).toEqual(before.HostConfig);
    await expectToFindItself(one.removeNew);
    expect(await namesOf(one)).toEqual([one.container]);
    await expectNoMarks(one);
  });

  test('that is finished removes the old container and what is ours, and nothing else', async () => {
    const bystander = await startOld('finished-by');
    const one = await startOld('finished', {
      HostConfig: {
        Binds: [`${PREFIX}-data:/data`],
        RestartPolicy: { Name: 'unless-stopped', MaximumRetryCount: 0 },
      },
    });
    await driver.images.prepare(one.attempt(), { image: { reference: REFERENCE, id: newImage } });
    const leftHelper = await docker.createContainer({
      name: `${PREFIX}-left-helper`,
      Image: oldImage,
      Cmd: ['/bin/true'],
      Labels: {
        'dev.liftlock.role': 'helper',
        'dev.liftlock.upgrade': one.attempt().upgrade,
        'dev.liftlock.of': one.containerId,
      },
    });
    await one.stop();
    await one.replace();
    await expectToFindItself(one.removeOld);
    await expect(leftHelper.inspect()).rejects.toMatchObject({ statusCode: 404 });
    expect(await namesOf(one)).toEqual([one.container, bystander.container]);
    await expect(inspect(one.containerId)).rejects.toMatchObject({ statusCode: 404 });
    expect((await inspect(bystander.container)).State.Running).toBe(true);
    expect((await inspect(one.container)).State.Running).toBe(true);
    expect((await docker.getImage(oldImage).inspect()).Id).toBe(oldImage);
    expect((await docker.getVolume(`${PREFIX}-data`).inspect()).Name).toBe(`${PREFIX}-data`);
    await expectNoMarks(one);
  });

  test('whose attempt ends while the engine still stops the container is taken up by the next one', async () => {
    const one = await startOld('slow', {
      Cmd: ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'],
      StopTimeout: 600,
    });
    const abort = new AbortController();
    const reason = new LiftlockError('lost', 'the process is gone');
    const stopping = failureOf(one.stop({ signal: abort.signal }));
    await waitFor(
      async () => (await inspect(one.containerId)).HostConfig.RestartPolicy?.Name === 'no',
      { what: 'it is about to be stopped', deadlineMs: 60_000 },
    );
    abort.abort(reason);
    expect((await stopping).code).toBe('lost');
    const next = one.stop();
    // as the engine does in the end
    await docker.getContainer(one.containerId).kill();
    await next;
    expect((await inspect(one.containerId)).State.Running).toBe(false);
    expect((await one.replace()).found).toBe('done_now');
    expect((await inspect(one.container)).HostConfig.RestartPolicy?.Name).toBe('always');
  });

  test('whose stop was called back while the engine goes on with it: the old one is up afterwards, and stays so', async () => {
    const ends = 'until [ -e /tmp/go ]; do sleep 0.1; done';
    const script = `trap 'echo stopping; ${ends}; exit 0' TERM; echo listens; while :; do sleep 0.1; done`;
    const one = await startOld('called-back', { Cmd: ['sh', '-c', script], StopTimeout: 1 });
    const { StartedAt } = (await inspect(one.containerId)).State;
    const log = () => docker.getContainer(one.containerId).logs({ stdout: true, follow: false });
    const untilSaid = (word: string): Promise<boolean> =>
      waitFor(async () => String(await log()).includes(word), { what: word, deadlineMs: 60_000 });
    // before, it would not hear that it is to stop
    await untilSaid('listens');
    const calledBack = new AbortController();
    const context = one.attempt({ signal: calledBack.signal });
    const stopping = failureOf(driver.instances.stop(context, { ...one, stopTimeoutSeconds: 90 }));
    await untilSaid('stopping');
    calledBack.abort(new LiftlockError('fenced', 'the attempt is called back'));
    await stopping;
    const lines: string[] = [];
    const restoring = one.restoreOld({ log: (line) => void lines.push(line) });
    await waitFor(() => lines.join().includes('whether a stop of it is under way'), {
      ...{ what: 'the old one is watched', deadlineMs: 60_000 },
    });
    // the container's own second, and the engine's ten, are over when it ends, and the step's time is not
    await delay(12_000);
    const end = { Cmd: ['touch', '/tmp/go'] };
    await (await docker.getContainer(one.containerId).exec(end)).start({});
    expect((await restoring).found).toBe('done_now');
    const { State, HostConfig } = await inspect(one.containerId);
    expect(State.Running).toBe(true);
    expect(Date.parse(State.StartedAt)).toBeGreaterThan(Date.parse(StartedAt));
    expect(HostConfig.RestartPolicy?.Name).toBe('always');
    await expectNoMarks(one);
  });

  test('whose stop was never asked for is not watched for longer than its step has time', async () => {
    const one = await startOld('unasked', { StopTimeout: 600 });
    const { StartedAt } = (await inspect(one.containerId)).State;
    // written down and held back: cut off before the engine is asked to stop it
    expect((await failureOf(one.stop(crashAt(3)))).code).toBe('fenced');
    const held = await inspect(one.containerId);
    expect([held.State.Running, held.HostConfig.RestartPolicy?.Name]).toEqual([true, 'no']);
    expect((await one.restoreOld({ timeoutSeconds: 45 })).found).toBe('done_now');
    const { State, HostConfig } = await inspect(one.containerId);
    expect([State.Running, State.StartedAt]).toEqual([true, StartedAt]);
    expect(HostConfig.RestartPolicy?.Name).toBe('always');
    await expectNoMarks(one);
  });

  test('of what did not run before leaves it stopped', async () => {
    const one = await startOld('idle');
    await docker.getContainer(one.containerId).stop({ t: 1 });
    await one.stop();
    await one.replace();
    await one.stopNew();
    const back = await driver.instances.restoreOld(one.attempt(), { ...one, start: false });
    expect(back.found).toBe('done_now');
    expect((await inspect(one.container)).State.Running).toBe(false);
    expect((await inspect(one.container)).HostConfig.RestartPolicy?.Name).toBe('always');
  });

  test('after one that was taken back, and one that was not, keeps the restart policy of the first', async () => {
    const one = await startOld('again');
    await one.stop();
    // of an upgrade that ended here for good, nothing is taken back: another one begins on what it left
    const two = { container: one.container, containerId: one.containerId };
    const context = contextOf(endpoint);
    await driver.instances.stop(context, two);
    await driver.instances.replace(context, {
      ...two,
      keptName: one.keptName,
      image: { reference: REFERENCE, id: newImage },
      env: {},
    });
    expect((await inspect(one.container)).HostConfig.RestartPolicy?.Name).toBe('always');
  });
});

/** Ends `seconds` after its second start, which is that of the way back; any other run goes on. */
const fallsOnce = (seconds: number): object => ({
  Entrypoint: [],
  Cmd: [
    ...['/bin/busybox', 'sh', '-c'],
    `echo >> /starts; [ $(wc -l < /starts) = 2 ] && { sleep ${seconds}; exit 3; }; exec sleep 3600`,
  ],
});

test.each([
  ['at once', 0],
  ['just before it has its restart policy back', 1],
])('an old container that ends %s is started once more', async (_when, seconds) => {
  const one = await startOld(`falls-${seconds}`, fallsOnce(seconds));
  await one.stop();
  const lines: string[] = [];
  let asked = 0;
  const guard = async (): Promise<void> => {
    asked += 1;
    if (asked !== 2) return;
    const look = async (): Promise<boolean> => !(await inspect(one.containerId)).State.Running;
    await waitFor(look, { what: 'its end', deadlineMs: 60_000 });
  };
  const log = (line: string): void => void lines.push(line);
  expect((await one.restoreOld({ guard, log })).found).toBe('done_now');
  expect(lines.join()).toContain('it is started once more');
  expect(await inspect(one.containerId)).toMatchObject({
    ...{ State: { Running: true, Restarting: false } },
    ...{ HostConfig: { RestartPolicy: { Name: 'always' } } },
  });
  await expectNoMarks(one);
});

const ends = { Entrypoint: [], Cmd: ['/bin/busybox', 'sh', '-c', 'exit 3'] };

test('an old container that ends whenever it is started is left to its restart policy, and to the check', async () => {
  const one = await startOld('loops', ends);
  await one.stop();
  expect((await one.restoreOld()).found).toBe('done_now');
  const { State, HostConfig } = await inspect(one.containerId);
  expect(State.Running).toBe(true);
  expect(HostConfig.RestartPolicy?.Name).toBe('always');
});

test('one that nothing starts again has failed', async () => {
  const one = await startOld('ends', { ...ends, HostConfig: {} });
  await one.stop();
  expect(await failureOf(one.restoreOld())).toMatchObject({ code: 'container_exited' });
});

test('a record without labels, as an engine leaves that is killed while it makes one, is made anew', async () => {
  const one = await startOld('unlabelled');
  const context = contextOf(endpoint);
  await docker.createVolume({
    Name: `liftlock-mark-${context.upgrade}-${one.containerId.slice(0, 12)}`,
  });
  await driver.instances.stop(context, one);
  await driver.instances.replace(context, {
    ...one,
    image: { reference: REFERENCE, id: newImage },
    env: {},
  });
  expect((await inspect(one.container)).HostConfig.RestartPolicy?.Name).toBe('always');
});

describe('refused, and nothing was changed', () => {
  test('an image that is not there, by its name', async () => {
    const one = await startOld('no-image');
    await one.stop();
    const error = await failureOf(
      driver.instances.replace(one.attempt(), {
        ...one,
        image: { reference: 'registry.test/app:9.9', id: `sha256:${'0'.repeat(64)}` },
        env: {},
      }),
    );
    expect(error).toMatchObject({ code: 'image_missing' });
    expect(error.message).toContain('registry.test/app:9.9');
    expect(await namesOf(one)).toEqual([one.container]);
  });

  test('a port that something else took, by its number; the way back is open', async () => {
    const port = await freePort();
    const one = await startOld('port', {
      ExposedPorts: { '8080/tcp': {} },
      HostConfig: {
        PortBindings: { '8080/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] },
      },
    });
    await one.stop();
    const other = createServer();
    await waitFor(
      () =>
        new Promise<boolean>((resolve) => {
          other.once('error', () => resolve(false));
          other.listen(port, '127.0.0.1', () => resolve(true));
        }),
      { what: `port ${port} is free`, deadlineMs: 60_000 },
    );
    const error = await failureOf(one.replace());
    expect(error).toMatchObject({ code: 'port_taken' });
    expect(error.message).toContain(`127.0.0.1:${port}`);
    await new Promise((resolve) => other.close(resolve));
    await one.stopNew();
    await one.restoreOld();
    expect(await inspect(one.container)).toMatchObject({
      Id: one.containerId,
      State: { Running: true },
    });
  });

  test('a new version that ends at once, with its last words', async () => {
    const one = await startOld('ends');
    await one.stop();
    const lasting = { type: 'running', deadlineSeconds: 3600, stableSeconds: 1800 };
    const replaced = driver.instances.replace(one.attempt(), {
      ...one,
      image: { reference: REFERENCE, id: newImage },
      env: {},
      command: ['sh', '-c', 'echo "no licence"; exit 3'],
    });
    // on a machine that is slow enough it ends after the start was watched: the check sees it
    const error = await failureOf(
      replaced.then(() =>
        driver.checks.check(one.attempt(), { ...one, check: checkSchema.parse(lasting) }),
      ),
    );
    expect(error).toMatchObject({ code: 'container_exited' });
    expect(error.message).toMatch(/ ended .*no licence/);
  });

  test('old and new at the same time', async () => {
    const one = await startOld('both');
    await one.stop();
    await docker.getContainer(one.containerId).start();
    expect((await failureOf(one.replace())).code).toBe('drift');
    expect(await namesOf(one)).toEqual([one.container]);
    await one.stop();
    await one.replace();
    const error = await failureOf(one.restoreOld());
    expect(error).toMatchObject({ code: 'data_in_use' });
    expect((await inspect(one.keptName)).State.Running).toBe(false);
    expect((await failureOf(one.removeNew())).code).toBe('target_refused');
  });

  test('a container that is not the one that was planned, though it has its name', async () => {
    const one = await startOld('other');
    await docker.getContainer(one.containerId).remove({ force: true });
    const other = await docker.createContainer({ name: one.container, Image: oldImage });
    await other.start();
    for (const action of [one.stop, one.replace, one.restoreOld]) {
      const error = await failureOf(action());
      expect(error.code).toBe('drift');
      expect(error.message).toContain(other.id.slice(0, 12));
    }
    expect((await one.stopNew()).found).toBe('nothing_to_do');
    expect((await one.removeNew()).found).toBe('nothing_to_do');
    expect((await inspect(one.container)).State.Running).toBe(true);
  });

  test('to remove an old container that was not kept, or that runs', async () => {
    const one = await startOld('unkept');
    expect((await failureOf(one.removeOld())).code).toBe('drift');
    await docker.getContainer(one.containerId).rename({ name: one.keptName });
    expect((await failureOf(one.removeOld())).code).toBe('target_refused');
    expect((await inspect(one.keptName)).State.Running).toBe(true);
  });

  test('a name that someone else took meanwhile', async () => {
    const one = await startOld('name');
    await one.stop();
    await one.replace();
    await one.stopNew();
    await docker.getContainer(one.container).remove();
    await docker.createContainer({ name: one.container, Image: oldImage });
    const error = await failureOf(one.restoreOld());
    expect(error).toMatchObject({ code: 'not_empty' });
    expect(error.message).toContain(one.container);
  });

  test('a container that the engine deletes when it stops', async () => {
    const one = await startOld('rm', { HostConfig: { AutoRemove: true } });
    const error = await failureOf(one.stop());
    expect(error).toMatchObject({ code: 'target_refused' });
    expect(error.message).toContain('--rm');
    expect((await inspect(one.containerId)).State.Running).toBe(true);
  });

  test('an engine that is not there, by its target and endpoint', async () => {
    const target = {
      name: 'far',
      driver: 'docker' as const,
      site: 'main',
      endpoint: 'unix:///nowhere.sock',
    };
    const one = await startOld('away');
    const error = await failureOf(one.stop({ target }));
    expect(error).toMatchObject({ code: 'target_unreachable', retryable: true });
    expect(error.message).toMatch(/far.*\/nowhere\.sock/);
    const tcp = await failureOf(one.stop({ target: { ...target, endpoint: 'tcp://host:2375' } }));
    expect(tcp.code).toBe('misconfigured');
  });
});
