import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { commandWork, jobWork } from '#contracts';
import type { Driver, StepContext } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { LiftlockError, systemIds, waitFor } from '#kernel';
import { cleanUp, openEngine } from '../../../../test/support/engine-client.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextOf, crashAt } from '../../../../test/support/step-context.js';

const PREFIX = 'dkhook';
const STEP = 'h1/w1/app@one/after-job';
const REFERENCE = 'liftlock-test-hooks:1.0';
let docker: Docker;
let endpoint: string;
let driver: Driver;
let image: string;
let container: string;
let made: Docker.Container;
let upgrade: string;

beforeAll(async () => {
  ({ docker, endpoint } = await openEngine());
  driver = await dockerDriver();
  image = await serviceImage(docker, REFERENCE, '1.0');
});
afterAll(async () => {
  await driver?.close();
  await docker.getImage(image).remove({ force: true });
});
beforeEach(async () => {
  upgrade = systemIds.next('upg');
  container = `${PREFIX}-${upgrade.slice(-8)}`;
  made = await docker.createContainer({
    ...{ name: container, Image: image, Cmd: ['sh', '-c', 'sleep 600'], StopTimeout: 1 },
    HostConfig: { Binds: [`${container}:/data`], NetworkMode: 'none' },
  });
  await made.start();
});
afterEach(async () => {
  for (const { Id } of await jobs()) await docker.getContainer(Id).remove({ force: true });
  await cleanUp(docker, PREFIX);
});

const jobs = () =>
  docker.listContainers({
    all: true,
    filters: { label: [`dev.liftlock.upgrade=${upgrade}`, 'dev.liftlock.role=job'] },
  });
const attempt = (token = 1, changes: Partial<StepContext> = {}) =>
  contextOf(endpoint, { upgrade, stepId: STEP, token, ...changes });
const command = (script: string, more: object = {}, context = attempt()) =>
  driver.hooks.command(context, {
    ...{ container, imageId: image, onlyWhileRunning: false },
    work: commandWork.parse({ type: 'command', command: ['sh', '-c', script], ...more }),
  });
const undo = (script: string) =>
  driver.hooks.command(attempt(), {
    ...{ container, imageId: image, onlyWhileRunning: true },
    work: commandWork.parse({ type: 'command', command: ['sh', '-c', script] }),
  });
const jobInput = (script: string, more: object = {}) => ({
  ...{ container, imageId: image, image: { reference: REFERENCE, id: image } },
  work: jobWork.parse({ type: 'job', entrypoint: ['sh', '-c'], command: [script], ...more }),
});
const job = (script: string, more: object = {}, context = attempt()) =>
  driver.hooks.job(context, jobInput(script, more));
const inside = async (script: string): Promise<string> => (await command(script)).said.join('\n');

describe('a command in the instance', () => {
  test('is run with its variables, and its words are kept', async () => {
    const context = attempt();
    const output = await command(
      'echo "$A"; echo bad >&2; exit 3',
      { env: { A: 'x y' }, exitCode: 3 },
      context,
    );
    expect(output).toEqual({ found: 'done_now', exitCode: 3, said: ['x y', 'bad'] });
    expect(context.lines).toEqual(['x y', 'bad']);
  });

  test('that fails is told with its last words, and may be tried again', async () => {
    const error = await failureOf(command('echo why >&2; exit 7'));
    expect(error).toMatchObject({ code: 'hook_failed', retryable: true });
    expect(error.message).toContain(
      `in ${container} on one ended with 7, not 0; it last said: why`,
    );
  });

  test('asks whether it may before it does anything', async () => {
    const crash = crashAt(1);
    await failureOf(command('touch /data/done', {}, attempt(1, crash)));
    expect(await inside('ls /data')).toBe('');
  });

  test('is not run in another version than the one it is for', async () => {
    const other = `sha256:${'0'.repeat(64)}`;
    const work = commandWork.parse({ type: 'command', command: ['touch', '/data/done'] });
    const input = { container, imageId: other, work, onlyWhileRunning: false };
    const error = await failureOf(driver.hooks.command(attempt(), input));
    expect(error).toMatchObject({ code: 'drift' });
    expect(await inside('ls /data')).toBe('');
  });

  test('in one that does not run fails, but for an undo, which has nothing to undo then', async () => {
    await made.stop();
    expect((await failureOf(command('true'))).message).toContain('is exited');
    expect(await undo('true')).toMatchObject({ found: 'nothing_to_do' });
  });

  test('between two runs of a crash loop fails as in one that does not run, and may be tried again; an undo has nothing to do', async () => {
    await made.remove({ force: true });
    made = await docker.createContainer({
      ...{ name: container, Image: image, Cmd: ['sh', '-c', 'exit 1'] },
      HostConfig: { NetworkMode: 'none', RestartPolicy: { Name: 'always' } },
    });
    await made.start();
    // the pause between two runs grows, up to a minute
    const pause = async (): Promise<number | undefined> => {
      const { RestartCount, State } = await made.inspect();
      return RestartCount >= 5 && State.Restarting ? RestartCount : undefined;
    };
    const inOnePause = async <T>(act: () => Promise<T>): Promise<T> => {
      for (;;) {
        const before = await waitFor(pause, { what: 'a long pause', deadlineMs: 90_000 });
        const outcome = await act();
        // in a run between two it is another thing
        if ((await pause()) === before) return outcome;
      }
    };
    expect(await inOnePause(() => undo('true'))).toMatchObject({ found: 'nothing_to_do' });
    const error = await inOnePause(() =>
      command('true').then(
        () => new LiftlockError('internal', 'it was run'),
        (thrown: unknown) => LiftlockError.from(thrown),
      ),
    );
    expect(error).toMatchObject({ code: 'hook_failed', retryable: true });
    expect(error.message).toContain('is restarting');
  });

  test.each([
    ['ends', () => made.kill()],
    ['is started again', () => made.restart({ t: 0 })],
  ])('an undo whose container %s under it has nothing to undo any more', async (_how, end) => {
    await made.remove({ force: true });
    made = await docker.createContainer({
      ...{ name: container, Image: image, Cmd: ['sh', '-c', 'sleep 600'] },
      HostConfig: { NetworkMode: 'none' },
    });
    await made.start();
    const undoing = undo('sleep 599');
    await waitFor(async () => JSON.stringify((await made.top()).Processes).includes('sleep 599'), {
      ...{ what: 'the command', deadlineMs: 60_000 },
    });
    await end();
    expect(await undoing).toMatchObject({ found: 'nothing_to_do' });
  });

  test('an undo that fails while its container runs on has failed', async () => {
    const error = await failureOf(undo('exit 9'));
    expect(error).toMatchObject({ code: 'hook_failed', retryable: true });
    expect(error.message).toContain('ended with 9');
  });
});

describe('a job', () => {
  test('runs to its end on the instance’s data and network, and is marked', async () => {
    const script = 'echo hello; echo once >> /data/job; ls /sys/class/net';
    const output = await job(script, { volumesFrom: true });
    expect(output).toEqual({ found: 'done_now', exitCode: 0, said: ['hello', 'lo'] });
    expect(await inside('cat /data/job')).toBe('once');
    const [only, ...more] = await jobs();
    expect(more).toEqual([]);
    expect(only?.Labels).toMatchObject({ 'dev.liftlock.step': STEP, 'dev.liftlock.of': made.id });
  });

  test('without volumesFrom sees none of the data', async () => {
    await inside('touch /data/here');
    expect((await job('ls /data 2>&1 || true')).said.join()).not.toContain('here');
  });

  test('is found again when its attempt died: running, ended, or never started, it runs once', async () => {
    const script = 'until [ -e /data/go ]; do sleep 0.1; done; echo once >> /data/job';
    const abort = new AbortController();
    const first = failureOf(
      job(script, { volumesFrom: true }, attempt(1, { signal: abort.signal })),
    );
    await waitFor(async () => (await jobs())[0]?.State === 'running', {
      ...{ what: 'the job', deadlineMs: 60_000 },
    });
    abort.abort(new LiftlockError('fenced', 'its process is gone'));
    await first;
    const second = job(script, { volumesFrom: true }, attempt(2));
    await inside('touch /data/go');
    expect(await second).toMatchObject({ exitCode: 0 });
    expect(await job(script, { volumesFrom: true }, attempt(3))).toMatchObject({
      found: 'done_before',
    });
    expect(await inside('cat /data/job')).toBe('once');
    expect(await jobs()).toHaveLength(1);
  });

  test('that was made and never started is started', async () => {
    // the second question is the one before the start
    await failureOf(job('echo started', {}, attempt(1, crashAt(2))));
    expect((await jobs())[0]?.State).toBe('created');
    expect(await job('echo started', {}, attempt(2))).toMatchObject({ said: ['started'] });
  });

  test('whose log cannot be read has done what it did', async () => {
    const labels = { upgrade, role: 'job', step: STEP };
    await docker.createContainer({
      ...{ Image: image, Entrypoint: ['sh', '-c'], Cmd: ['echo unheard'] },
      Labels: Object.fromEntries(
        Object.entries(labels).map(([name, value]) => [`dev.liftlock.${name}`, value]),
      ),
      HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'none', Config: {} } },
    });
    expect(await job('unused')).toEqual({ found: 'done_now', exitCode: 0, said: [] });
  });

  test('that fails is told with its last lines, and the next try makes another', async () => {
    const script = 'test -e /data/mended && exit 0; touch /data/mended; echo broken; exit 4';
    const error = await failureOf(job(script, { volumesFrom: true }));
    expect(error).toMatchObject({ code: 'hook_failed', retryable: true });
    expect(error.message).toMatch(/ended with 4; it last said: broken/);
    expect(error.details).toMatchObject({ exitCode: 4, said: ['broken'] });
    expect(await jobs()).toEqual([]);
    expect(await job(script, { volumesFrom: true }, attempt(2))).toMatchObject({
      found: 'done_now',
    });
  });

  test('is removed while it runs, and a second time there is nothing to do', async () => {
    const abort = new AbortController();
    const running = failureOf(job('sleep 600', {}, attempt(1, { signal: abort.signal })));
    await waitFor(async () => (await jobs())[0]?.State === 'running', {
      ...{ what: 'the job', deadlineMs: 60_000 },
    });
    abort.abort(new LiftlockError('revoked', 'called back'));
    await running;
    const remove = () => driver.hooks.removeJobs(attempt(5), { container, steps: ['other', STEP] });
    expect(await remove()).toMatchObject({ found: 'done_now' });
    expect(await jobs()).toEqual([]);
    expect(await remove()).toMatchObject({ found: 'nothing_to_do' });
  });
});
