import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EphemeralFile } from '#contracts';
import type { Driver, StepContext } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { systemIds } from '#kernel';
import { newFolder } from '../../../../test/support/data-tree.js';
import { cleanUp, openEngine } from '../../../../test/support/engine-client.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextOf, crashAt } from '../../../../test/support/step-context.js';

const PREFIX = 'dkfiles';
const PATH = '/data/config/server.cfg';
const SECRET = `canary-${Math.random().toString(36).slice(2)}`;
let docker: Docker;
let endpoint: string;
let driver: Driver;
let image: string;

beforeAll(async () => {
  ({ docker, endpoint } = await openEngine());
  driver = await dockerDriver();
  image = await serviceImage(docker, 'liftlock-test-files:1.0', '1.0');
});
afterAll(async () => {
  await driver?.close();
});

let folder: string;
let container: string;
let containerId: string;
let upgrade: string;
let token: number;
const here = (): string => join(folder, 'config/server.cfg');

beforeEach(async () => {
  folder = newFolder();
  mkdirSync(join(folder, 'config'));
  writeFileSync(join(folder, 'entry'), 'data');
  upgrade = systemIds.next('upg');
  token = 0;
  container = `${PREFIX}-${upgrade.slice(-8)}`;
  await create([`${folder}:/data`]);
});
afterEach(async () => {
  await cleanUp(docker, PREFIX);
  for (const volume of await marks()) await docker.getVolume(volume).remove();
  rmSync(folder, { recursive: true, force: true });
});

async function create(binds: string[], more: object = {}): Promise<void> {
  await cleanUp(docker, container);
  const made = await docker.createContainer({
    ...{ name: container, Image: image, StopTimeout: 1, ...more },
    HostConfig: { Binds: binds, ...(more as { HostConfig?: object }).HostConfig },
  });
  containerId = made.id;
}

const file = (more: Partial<EphemeralFile> = {}): EphemeralFile => ({
  ...{ path: PATH, mode: '0640', uid: 123, gid: 456, content: `password=${SECRET}\n` },
  ...more,
});
const lines: string[] = [];
function attempt(stepId: string, changes: Partial<StepContext> = {}): StepContext {
  token += 1;
  const log = (text: string): void => void lines.push(text);
  return contextOf(endpoint, { upgrade, stepId, token, log, ...changes });
}
const prepare = (files = [file()], changes = {}) =>
  driver.files.prepare(attempt('prepare/files', changes), { container, containerId, files });
const write = (files = [file()], changes = {}) =>
  driver.files.write(attempt('lane/files/write', changes), { container, containerId, files });
const remove = (paths = [PATH], changes = {}) =>
  driver.files.remove(attempt('lane/files/remove', changes), { container, containerId, paths });

/** Records of files that this file's upgrades wrote. */
async function marks(): Promise<string[]> {
  const filters = { label: ['dev.liftlock.role=file', `dev.liftlock.upgrade=${upgrade}`] };
  return ((await docker.listVolumes({ filters })).Volumes ?? []).map(({ Name }) => Name);
}
const folderStat = () => statSync(join(folder, 'config'), { bigint: true });
const inFolder = (): string[] => readdirSync(join(folder, 'config'));

describe('a file for the time of an upgrade', () => {
  test('is written with mode and owner, and removed with nothing left of it', async () => {
    const before = folderStat();
    await prepare();
    expect(inFolder()).toEqual([]);
    expect(await write()).toEqual({ found: 'done_now' });
    expect(readFileSync(here(), 'utf8')).toBe(`password=${SECRET}\n`);
    const { mode, uid, gid } = statSync(here());
    expect({ mode: mode & 0o7777, uid, gid }).toEqual({ mode: 0o640, uid: 123, gid: 456 });
    expect(inFolder()).toEqual(['server.cfg']);
    const after = folderStat();
    expect([after.mode, after.uid, after.gid]).toEqual([before.mode, before.uid, before.gid]);
    expect(after.mtimeNs).not.toBe(before.mtimeNs);
    await prepare();
    expect(await remove()).toEqual({ found: 'done_now' });
    expect(inFolder()).toEqual([]);
    expect(await marks()).toEqual([]);
    // the new version never ran, so that nothing is restored: the folder is as if nothing had been
    expect(folderStat().mtimeNs).toBe(before.mtimeNs);
    expect(await remove()).toEqual({ found: 'nothing_to_do' });
    expect(lines.join('\n')).toContain(PATH);
    expect(lines.join('\n')).not.toContain(SECRET);
  });

  test('comes in one rename beside what is there, several at once, also where the container may only read', async () => {
    const config = join(folder, 'config');
    await create([`${folder}:/data`, `${config}:/etc/app:ro`]);
    const files = [file(), file({ path: '/etc/app/it has spaces & $HOME', mode: '0600', uid: 0 })];
    await prepare(files);
    await write(files);
    expect(inFolder().toSorted()).toEqual(['it has spaces & $HOME', 'server.cfg']);
    await remove(files.map(({ path }) => path));
    expect(inFolder()).toEqual([]);
    expect(await marks()).toEqual([]);
  });

  test('is written and removed while the container runs, and after it was kept under another name', async () => {
    await docker.getContainer(containerId).start();
    await prepare();
    await write();
    await docker.getContainer(containerId).rename({ name: `${container}-kept` });
    await docker.getContainer(containerId).stop({ t: 0 });
    expect(await remove()).toEqual({ found: 'done_now' });
    expect(existsSync(here())).toBe(false);
  });

  test('that the application removed or rewrote itself is seen to be gone all the same', async () => {
    await write();
    rmSync(here());
    expect(await remove()).toEqual({ found: 'done_now' });
    await write();
    rmSync(here());
    writeFileSync(here(), `${SECRET} in another file`);
    expect(await remove()).toEqual({ found: 'done_now' });
    expect(inFolder()).toEqual([]);
    expect(await marks()).toEqual([]);
  });

  test('cut off after any single change is written, and removed, by a later attempt', async () => {
    for (const cut of [1, 2, 3]) {
      const error = await failureOf(write([file()], crashAt(cut)));
      expect(error.code).toBe('fenced');
      expect(existsSync(here())).toBe(false);
      // whatever a crash left, the release finds it
      await remove();
      expect([inFolder(), await marks()]).toEqual([[], []]);
    }
    await failureOf(write([file()], crashAt(3)));
    await write();
    expect(readFileSync(here(), 'utf8')).toContain(SECRET);
    for (const cut of [1, 2, 3]) {
      await failureOf(remove([PATH], crashAt(cut)));
      expect((await marks()).length).toBe(1);
    }
    await remove();
    expect([inFolder(), await marks()]).toEqual([[], []]);
  });

  test('half written by an attempt that was killed is taken up, and its rest removed', async () => {
    await write();
    const name = readdirSync(join(folder, 'config'));
    expect(name).toEqual(['server.cfg']);
    rmSync(here());
    const { temporaryPath } = await import('../src/file-scripts.js');
    const half = join(folder, temporaryPath(PATH).replace('/data/', ''));
    writeFileSync(half, SECRET);
    expect(await remove()).toEqual({ found: 'done_now' });
    expect(inFolder()).toEqual([]);
  });

  test('of an upgrade that never ended is taken over by the next one on the same container', async () => {
    await write();
    const first = upgrade;
    upgrade = systemIds.next('upg');
    await prepare();
    await write([file({ content: 'second' })]);
    expect(readFileSync(here(), 'utf8')).toBe('second');
    await remove();
    expect(inFolder()).toEqual([]);
    const filters = { label: ['dev.liftlock.role=file', `dev.liftlock.of=${containerId}`] };
    expect((await docker.listVolumes({ filters })).Volumes ?? []).toEqual([]);
    expect(first).not.toBe(upgrade);
  });
});

describe('nothing is touched', () => {
  test.each([
    ['a file', () => writeFileSync(here(), 'the operator’s own')],
    ['a link', () => symlinkSync('/nowhere', here())],
    ['a folder', () => mkdirSync(here())],
  ])('where %s is there that no upgrade wrote', async (_what, make) => {
    make();
    for (const attempted of [prepare, write]) {
      const error = await failureOf(attempted());
      expect(error).toMatchObject({ code: 'not_empty', retryable: false });
      expect(error.message).toContain(PATH);
    }
    expect(inFolder()).toEqual(['server.cfg']);
    expect(await marks()).toEqual([]);
    // and it is not removed as if it were ours
    expect((await failureOf(remove())).code).toBe('not_empty');
    expect(inFolder()).toEqual(['server.cfg']);
  });

  test('when it came between the look and the rename', async () => {
    let asked = 0;
    const guard = async (): Promise<void> => {
      asked += 1;
      if (asked === 2) writeFileSync(here(), 'the operator’s own');
    };
    expect((await failureOf(write([file()], { guard }))).code).toBe('not_empty');
    expect(readFileSync(here(), 'utf8')).toBe('the operator’s own');
    expect(inFolder()).toEqual(['server.cfg']);
    expect(await marks()).toEqual([]);
  });

  test('without the folder, or outside volumes and binds', async () => {
    const nowhere = await failureOf(prepare([file({ path: '/data/none/server.cfg' })]));
    expect(nowhere).toMatchObject({ code: 'data_missing' });
    expect(nowhere.message).toContain('/data/none');
    const outside = await failureOf(prepare([file({ path: '/etc/server.cfg' })]));
    expect(outside).toMatchObject({ code: 'data_missing' });
    expect(outside.message).toContain('/etc');
  });
});

test('no snapshot is taken while the file is there', async () => {
  const source = { container, containerId, keptName: `${container}-kept`, paths: ['/data'] };
  await write();
  const refused = await failureOf(driver.data.read(attempt('snapshot'), source));
  expect(refused).toMatchObject({ code: 'not_empty' });
  expect(refused.message).toContain(PATH);
  await remove();
  const archive = await buffer(await driver.data.read(attempt('snapshot'), source));
  expect(archive.length).toBeGreaterThan(0);
});

test('what the engine tells of helpers and records has no content of a file', async () => {
  const seen: string[] = [];
  const guard = async (): Promise<void> => {
    const { Volumes } = await docker.listVolumes();
    const containers = await docker.listContainers({ all: true });
    for (const { Id } of containers) {
      const one = await docker
        .getContainer(Id)
        .inspect()
        .catch(() => undefined);
      seen.push(JSON.stringify(one ?? {}));
    }
    seen.push(JSON.stringify(Volumes));
  };
  await write([file()], { guard });
  expect(seen.join()).toContain('liftlock-helper-');
  expect(seen.join()).not.toContain(SECRET);
});
