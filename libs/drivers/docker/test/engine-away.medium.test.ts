import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Driver } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { LiftlockError, waitFor } from '#kernel';
import { newFolder, treeDigest } from '../../../../test/support/data-tree.js';
import { cleanUp } from '../../../../test/support/engine-client.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { OwnEngine } from '../../../../test/support/own-engine.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextFor, observe, startWithData, targetOf, type FarContainer } from './far-engine.js';
import { REFERENCE, startInstance, type UpgradeScene } from './upgrade-scene.js';

const PREFIX = 'dkaway';
const IMAGE = 'liftlock-test-away:1.0';

let own: OwnEngine;
let image: string;
let newImage: string;
let driver: Driver;
const folders: string[] = [];

beforeAll(async () => {
  own = await OwnEngine.start();
  image = await serviceImage(own.docker, IMAGE, '1.0');
  newImage = await serviceImage(own.docker, REFERENCE, '2.0');
});
beforeEach(async () => {
  driver = await dockerDriver();
  return async () => {
    await driver.close();
    await cleanUp(own.docker, PREFIX);
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  };
});
afterAll(() => own?.stop());

const context = (more: object = {}): ReturnType<typeof contextFor> => ({
  ...contextFor(targetOf(own.host)),
  signal: AbortSignal.timeout(110_000),
  ...more,
});

const scene = (): UpgradeScene => ({
  ...{ docker: own.docker, endpoint: own.host, driver, oldImage: image, newImage },
});

async function start(name: string): Promise<FarContainer> {
  const made = await startWithData(own.docker, `${PREFIX}-${name}`, image);
  folders.push(made.folder);
  writeFileSync(join(made.folder, 'large'), randomBytes(16 * 1024 * 1024));
  return made;
}

/** Kills the engine at the nth question of the guard, right before something is changed; it comes back a moment later. */
function killAt(question: number): { guard: () => Promise<void>; back: () => Promise<void> } {
  let asked = 0;
  let back = Promise.resolve();
  return {
    back: () => back,
    guard: async () => {
      asked += 1;
      if (asked !== question) return;
      await own.kill9();
      back = own.comeBack();
      back.catch(() => undefined);
    },
  };
}

test.each([1, 2, 3])(
  'killed before change %i of stop and replace, the engine is waited for, and each happens once',
  async (question) => {
    const one = await start(`change-${question}`);
    const { upgrade } = context();
    for (const token of [1, 2]) {
      const { guard, back } = killAt(question);
      const attempt = context({ upgrade, token, guard });
      if (token === 1) await driver.instances.stop(attempt, one);
      else
        await driver.instances.replace(attempt, {
          ...one,
          image: { reference: IMAGE, id: image },
          env: {},
        });
      await back();
      if (question <= 2)
        expect(attempt.lines.join()).toMatch(
          /engine of far .*does not answer.*waiting until it is back/i,
        );
    }
    const listed = await own.docker.listContainers({ all: true });
    const ours = listed.filter(({ Names }) =>
      Names.some((name) => name.startsWith(`/${one.container}`)),
    );
    expect(ours.map(({ Names, State }) => `${Names[0]} ${State}`).toSorted()).toEqual([
      `/${one.container} running`,
      `/${one.keptName} exited`,
    ]);
  },
);

test.each([1, 2, 3])(
  'killed before change %i of a file’s writing and removal, the engine is waited for, and the file is there and gone',
  async (question) => {
    const one = await start(`file-${question}`);
    const path = '/data/only.cfg';
    const here = join(one.folder, 'only.cfg');
    const file = { path, mode: '0600', uid: 0, gid: 0, content: 'for a while' };
    const { upgrade } = context();
    const writing = killAt(question);
    await driver.files.write(context({ upgrade, token: 1, guard: writing.guard }), {
      ...{ ...one, files: [file] },
    });
    await writing.back();
    expect(readFileSync(here, 'utf8')).toBe('for a while');
    const removing = killAt(question);
    const attempt = context({ upgrade, token: 2, guard: removing.guard });
    expect(await driver.files.remove(attempt, { ...one, paths: [path] })).toEqual({
      found: 'done_now',
    });
    await removing.back();
    expect(attempt.lines.join()).toMatch(/waiting until it is back/i);
    expect(existsSync(here)).toBe(false);
  },
);

test('killed before a hook looks, the engine is waited for; killed before the hook runs, nobody runs it again', async () => {
  const one = await start('hook');
  const work = { type: 'command' as const, command: ['touch', '/data/ran'], exitCode: 0, env: {} };
  const input = { ...one, imageId: image, work, onlyWhileRunning: true };
  await driver.hooks.command(context(), input);
  rmSync(join(one.folder, 'ran'));
  await own.kill9();
  const attempt = context({ token: 2 });
  const [output] = await Promise.all([driver.hooks.command(attempt, input), own.comeBack()]);
  expect(output).toMatchObject({ found: 'nothing_to_do' });
  expect(attempt.lines.join()).toMatch(/waiting until it is back/i);
  await own.docker.getContainer(one.containerId).start();
  const { guard, back } = killAt(1);
  const error = await failureOf(driver.hooks.command(context({ token: 3, guard }), input));
  expect(error.code, error.message).toBe('target_unreachable');
  await back();
  expect(existsSync(join(one.folder, 'ran'))).toBe(false);
});

test('killed in mid-snapshot and mid-restore, the next attempt finds the engine and the data is exact', async () => {
  const one = await start('data');
  await own.docker.getContainer(one.containerId).stop();
  const digest = treeDigest(one.folder);
  const stream = await driver.data.read(context(), one);
  let back: Promise<void> | undefined;
  const cut = await failureOf(
    (async () => {
      for await (const _chunk of stream) {
        if (back !== undefined) continue;
        await own.kill9();
        back = own.comeBack();
      }
      throw new Error('it was not cut off');
    })(),
  );
  expect(cut.retryable, cut.message).toBe(true);
  expect(cut.message).toMatch(/far|dkaway-data/);
  const archive = await buffer(await driver.data.read(context({ token: 2 }), one));
  await back;
  rmSync(join(one.folder, 'large'));
  async function* killing(): AsyncGenerator<Buffer> {
    yield archive.subarray(0, archive.length >> 1);
    await own.kill9();
    back = own.comeBack();
    yield archive.subarray(archive.length >> 1);
  }
  const half = await failureOf(driver.data.write(context(), one, Readable.from(killing())));
  expect(half.retryable, half.message).toBe(true);
  await driver.data.write(context({ token: 2 }), one, Readable.from([archive]));
  await back;
  expect(treeDigest(one.folder)).toBe(digest);
});

test('an engine that is away when another process takes over is waited for from the second attempt on', async () => {
  const one = await start('taken-over');
  await own.kill9();
  const { upgrade } = context();
  const first = await failureOf(driver.instances.stop(context({ upgrade }), one));
  expect(first).toMatchObject({ code: 'target_unreachable', retryable: true });
  const second = context({ upgrade, token: 2 });
  const stopping = driver.instances.stop(second, one);
  stopping.catch(() => undefined);
  const waits = () => second.lines.join().includes('waiting until it is back');
  await waitFor(waits, { what: 'it waits', deadlineMs: 60_000 });
  await own.comeBack();
  await stopping;
  const { State } = await own.docker.getContainer(one.containerId).inspect();
  expect(State.Running).toBe(false);
});

test('time without the engine does not count for a check', async () => {
  const one = await start('check');
  await observe(driver, targetOf(own.host));
  await own.docker.getContainer(one.containerId).update({ RestartPolicy: { Name: 'always' } });
  await own.kill9();
  const check = (deadlineSeconds: number, more: object = {}) =>
    driver.checks.check(context(more), {
      ...one,
      check: {
        ...{ type: 'command', command: ['cat', '/srv/index.html'], exitCode: 0, failPatterns: [] },
        ...{ deadlineSeconds, intervalMs: 100, stableSeconds: 0 },
      },
    });
  const abort = new AbortController();
  const short = failureOf(check(1, { signal: abort.signal }));
  const attempt = check(60);
  // while it is away, for longer than a deadline
  expect(await Promise.race([short, delay(3_000, 'it still looks')])).toBe('it still looks');
  abort.abort(new LiftlockError('revoked', 'the attempt was called back'));
  expect((await short).code).toBe('revoked');
  const [{ detail }] = await Promise.all([attempt, own.comeBack()]);
  expect(detail).toContain('ended with 0');
});

const FOREVER = [
  '/bin/busybox',
  'sh',
  '-c',
  'trap "exit 0" TERM; while :; do sleep 1 & wait $!; done',
];
const running = (stableSeconds: number) => ({
  ...{ type: 'running' as const, deadlineSeconds: 60, intervalMs: 100, stableSeconds },
});

async function startWith(name: string, policy: string, command: string[]): Promise<FarContainer> {
  const container = `${PREFIX}-${name}`;
  const folder = newFolder();
  folders.push(folder);
  const made = await own.docker.createContainer({
    ...{ name: container, Image: image, Entrypoint: [], Cmd: command },
    HostConfig: {
      RestartPolicy: { Name: policy },
      NetworkMode: 'none',
      Binds: [`${folder}:/gate`],
    },
  });
  await made.start();
  return { container, containerId: made.id, keptName: '', paths: [], folder };
}

/** What the engine would read when it comes back: it may know more than it has written down. */
function writtenState({ containerId }: FarContainer): { Running: boolean; Pid: number } {
  const file = join(own.dataFolder, 'containers', containerId, 'config.v2.json');
  const { State } = JSON.parse(readFileSync(file, 'utf8')) as {
    State: { Running: boolean; Pid: number };
  };
  return State;
}

test.each(['SIGKILL of the engine', 'a reboot'])(
  '%s takes down what has no restart policy, or none that counts: the check starts it; what ended by itself stays ended',
  async (how) => {
    const name = how === 'a reboot' ? 'reboot' : 'kill';
    const down = [
      await startWith(`${name}-no`, 'no', FOREVER),
      await startWith(`${name}-unless`, 'unless-stopped', FOREVER),
      await startWith(`${name}-always`, 'always', FOREVER),
      await startWith(`${name}-deaf`, 'no', ['/bin/busybox', 'sleep', '3600']),
    ];
    const before = await startWith(`${name}-before`, 'no', ['/bin/busybox', 'sh', '-c', 'exit 7']);
    // an engine that is killed while it takes note of an end loses the exit code: neither may end just then
    const meanwhile = await startWith(`${name}-meanwhile`, 'no', [
      ...['/bin/busybox', 'sh', '-c', 'until [ -e /gate/open ]; do sleep 1; done; exit 9'],
    ]);
    const options = { what: 'its end', deadlineMs: 60_000 };
    await waitFor(() => !writtenState(before).Running, options);
    const check = (one: FarContainer, stableSeconds = 0): Promise<{ detail: string }> =>
      driver.checks.check(context(), { ...one, check: running(stableSeconds) });
    await check(down[0] ?? before);
    await own.kill9();
    const late = own.docker.getContainer(meanwhile.containerId);
    if (name === 'kill') {
      const { Running, Pid } = writtenState(meanwhile);
      expect([Running, existsSync(`/proc/${Pid}`)]).toEqual([true, true]);
      writeFileSync(join(meanwhile.folder, 'open'), '');
      await waitFor(() => !existsSync(`/proc/${Pid}`), options);
      await own.comeBack();
    } else await own.reboot();
    for (const one of down) expect((await check(one)).detail, one.container).toContain('running');
    const ended = await failureOf(check(before));
    expect([ended.code, ended.message]).toEqual([
      'container_exited',
      expect.stringContaining('exit code 7'),
    ]);
    if (name === 'kill') {
      expect((await late.inspect()).State.ExitCode, 'as its engine found out').toBe(9);
      const error = await failureOf(check(meanwhile));
      expect(error.message).toContain('exit code 9');
      expect((await late.inspect()).State.Status).toBe('exited');
    }
    // started once by us, it is as any other: an end of its own is told
    await own.docker.getContainer(down[0]?.containerId ?? '').stop();
    expect((await failureOf(check(down[0] ?? before))).code).toBe('container_exited');
  },
);

test('a new container whose removal failed is stopped for good: it needs nobody', async () => {
  const one = await startInstance(scene(), `${PREFIX}-marked`);
  await one.stop();
  await one.replace();
  const made = own.docker.getContainer(one.container);
  const { Id } = await made.inspect();
  const kept = join(own.dataFolder, 'containers', Id, 'hostname');
  // what cannot be removed, whoever asks
  execFileSync('chattr', ['+i', kept]);
  try {
    await expect(made.remove({ force: true })).rejects.toThrow('not permitted');
    expect((await made.inspect()).State.Status).toBe('dead');
    expect(await one.stopNew()).toMatchObject({ found: 'done_before' });
  } finally {
    execFileSync('chattr', ['-i', kept]);
  }
  await one.restoreOld();
  const old = await own.docker.getContainer(one.containerId).inspect();
  expect(old).toMatchObject({
    ...{ Name: `/${one.container}`, State: { Running: true } },
    ...{ HostConfig: { RestartPolicy: { Name: 'always' } } },
  });
});

test('an engine that takes the question and never answers is waited for no longer than the asker may wait', async () => {
  const folder = newFolder();
  folders.push(folder);
  const socket = join(folder, 'docker.sock');
  // no real engine falls silent after its first word
  const silent = createServer((request, response) => {
    if (request.url?.endsWith('/_ping')) response.setHeader('api-version', '1.43').end();
  });
  await new Promise<void>((listening) => silent.listen(socket, listening));
  const error = await failureOf(
    driver.instances.observe(
      { target: targetOf(`unix://${socket}`), containers: [], images: [] },
      AbortSignal.timeout(1_000),
    ),
  );
  expect(error.code, error.message).toBe('timeout');
  silent.closeAllConnections();
  silent.close();
});

test('an answer that is cut off after its head is an engine that went away, not one that is waited for', async () => {
  const folder = newFolder();
  folders.push(folder);
  const socket = join(folder, 'docker.sock');
  // no real engine can be killed at that very moment
  const cutting = createServer((request, response) => {
    if (request.url?.endsWith('/_ping'))
      return void response.setHeader('api-version', '1.43').end();
    response.writeHead(200, { 'content-length': '1000' }).write('{"Id":');
    setTimeout(() => response.destroy(), 20);
  });
  await new Promise<void>((listening) => cutting.listen(socket, listening));
  const error = await failureOf(observe(driver, targetOf(`unix://${socket}`)));
  expect(error.code, error.message).toBe('target_unreachable');
  cutting.close();
});
