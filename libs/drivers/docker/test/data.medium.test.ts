import { createServer } from 'node:net';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { LiftlockError } from '#kernel';
import {
  blocksOf,
  damage,
  ODD_NAMES,
  plantTree,
  treeDigest,
  treeLines,
} from '../../../../test/support/data-tree.js';
import { contextOf } from '../../../../test/support/step-context.js';
import { DataScene } from './data-scene.js';

let scene: DataScene;

beforeAll(async () => {
  scene = await DataScene.open('dkdata');
});
afterEach(() => scene.clean());
afterAll(() => scene.close());

async function expectMissing(attempt: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => LiftlockError.from(thrown),
  );
  expect(error?.code).toBe('data_missing');
  expect(error?.message).toMatch(message);
}

describe('a snapshot and its restore', () => {
  test('bring back everything that a file system may hold, exactly', async () => {
    const folder = scene.folder();
    await plantTree(folder);
    const source = await scene.create('all', [`${folder}:/data`], ['/data']);
    const before = { lines: treeLines(folder), digest: treeDigest(folder) };
    const list = await scene.list(source);
    const archive = await scene.read(source);
    expect(archive.readUInt32LE(0)).toBe(0xfd2fb528);
    expect(archive.length).toBeLessThan(1024 * 1024);
    expect({ lines: treeLines(folder), digest: treeDigest(folder) }).toEqual(before);
    damage(folder);
    expect(treeDigest(folder)).not.toBe(before.digest);
    await scene.write(source, archive);
    expect(treeLines(folder)).toEqual(before.lines);
    expect(treeDigest(folder)).toBe(before.digest);
    expect(blocksOf(folder, 'sparse')).toBeLessThan(64);
    expect(statSync(join(folder, 'first-name')).ino).toBe(
      statSync(join(folder, 'setgid/third-name')).ino,
    );
    const after = await scene.list(source);
    expect(after.map(({ path }) => path)).toEqual(list.map(({ path }) => path));
    await scene.untilNoHelpers();
  });

  test('list every entry, with names that no two share', async () => {
    const folder = scene.folder();
    await plantTree(folder);
    const source = await scene.create('list', [`${folder}:/data`], ['/data']);
    const list = await scene.list(source);
    expect(list).toHaveLength(treeLines(folder).length);
    const byPath = new Map(list.map((entry) => [entry.path, entry]));
    expect(byPath.size).toBe(list.length);
    expect(byPath.get('/data/owned')).toMatchObject({
      type: 'file',
      uid: 4_000_123,
      gid: 4_000_456,
    });
    expect(byPath.get('/data/setuid')).toMatchObject({ mode: '4755', size: 6 });
    expect(byPath.get('/data/dangling')).toMatchObject({
      type: 'symlink',
      linkTarget: '/nowhere/at all',
    });
    expect(byPath.get('/data/second-name')?.sameFileAs).toBe('/data/first-name');
    expect(byPath.get('/data/first-name')?.sameFileAs).toBeUndefined();
    expect(byPath.get('/data/fifo')?.type).toBe('fifo');
    expect(byPath.get('/data/device')).toMatchObject({ type: 'character', device: '1:3' });
    expect(byPath.get('/data/sparse')?.allocated).toBeLessThan(1024 * 1024);
    expect(byPath.get('/data/plain')?.attributes).toEqual({});
    expect(byPath.get('/data/plain')?.allocated).toBeUndefined();
    expect(byPath.get('/data/attributes')?.attributes).toEqual({
      'user.note': Buffer.from('kept, with a line\nand a space').toString('hex'),
      'system.posix_acl_access': expect.stringMatching(/^02000000/) as string,
    });
    expect(byPath.get('/data/zero')?.sha256).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    expect(byPath.get('/data/sticky')?.mtime).toMatch(/^981173\d{3}\.\d{9}$/);
    expect(byPath.has(String.raw`/data/latin\xE91`)).toBe(true);
    expect(byPath.has(String.raw`/data/back\x5Cslash \x5CxE9`)).toBe(true);
    expect(list.filter(({ sha256 }) => sha256 !== undefined).length).toBeGreaterThan(
      ODD_NAMES.length,
    );
  });

  test('hold several paths of volumes, binds, and mounts below one another, and nothing beside them', async () => {
    const outer = scene.folder();
    const inner = scene.folder();
    for (const name of ['kept', 'beside']) mkdirSync(join(outer, name));
    writeFileSync(join(outer, 'kept/file'), 'kept');
    writeFileSync(join(outer, 'beside/file'), 'beside');
    writeFileSync(join(inner, 'file'), 'inner');
    const source = await scene.create(
      'several',
      [`${outer}:/outer`, `${inner}:/outer/kept/below:ro`, `${scene.prefix}-vol:/volume`],
      ['/outer/kept/', '/volume', '/outer/kept/below'],
    );
    const { Mountpoint } = await scene.docker.getVolume(`${scene.prefix}-vol`).inspect();
    writeFileSync(join(Mountpoint, 'file'), 'volume');
    const archive = await scene.read(source);
    const before = [outer, inner, Mountpoint].map(treeDigest);
    writeFileSync(join(outer, 'kept/file'), 'changed');
    writeFileSync(join(inner, 'more'), 'more');
    writeFileSync(join(Mountpoint, 'file'), 'changed');
    await scene.write(source, archive);
    expect([outer, inner, Mountpoint].map(treeDigest)).toEqual(before);
    writeFileSync(join(outer, 'beside/file'), 'not ours');
    await scene.write(source, archive);
    expect(treeLines(join(outer, 'beside')).join()).toContain(' 8 ');
  });

  test('keep an anonymous volume that only the stopped container holds', async () => {
    const source = await scene.create('anonymous', [], ['/data'], { Volumes: { '/data': {} } });
    const { Mounts } = await scene.docker.getContainer(source.containerId).inspect();
    const folder = Mounts[0]?.Source ?? '';
    writeFileSync(join(folder, 'file'), 'file');
    const before = treeDigest(folder);
    await scene.write(source, await scene.read(source));
    await scene.untilNoHelpers();
    expect(treeDigest(folder)).toBe(before);
  });

  test('leave sockets out, and remove them', async () => {
    const folder = scene.folder();
    writeFileSync(join(folder, 'file'), 'file');
    const server = createServer().listen(join(folder, 'socket'));
    const source = await scene.create('socket', [`${folder}:/data`], ['/data']);
    const list = await scene.list(source);
    expect(list.map(({ path }) => path)).toEqual(['/data', '/data/file']);
    await scene.write(source, await scene.read(source));
    expect(treeLines(folder).filter((line) => line.startsWith('s'))).toEqual([]);
    server.close();
  });

  test('work on one file that is a mount of its own', async () => {
    const folder = scene.folder();
    writeFileSync(join(folder, 'settings'), 'one');
    const source = await scene.create(
      'file',
      [`${folder}/settings:/etc/settings`],
      ['/etc/settings'],
    );
    const before = treeDigest(folder);
    const archive = await scene.read(source);
    writeFileSync(join(folder, 'settings'), 'two, and longer');
    expect(treeDigest(folder)).not.toBe(before);
    await scene.write(source, archive);
    expect(treeDigest(folder)).toBe(before);
  });
});

describe('refused, by name', () => {
  test('a path that is not there', async () => {
    const source = await scene.create(
      'missing',
      [`${scene.folder()}:/data`],
      ['/data/nothing here'],
    );
    await expectMissing(scene.read(source), /\/data\/nothing here/);
    await expectMissing(scene.list(source), /\/data\/nothing here/);
  });

  test('a path that is an empty folder', async () => {
    const filled = scene.folder();
    writeFileSync(join(filled, 'file'), 'file');
    const source = await scene.create(
      'empty',
      [`${filled}:/filled`, `${scene.folder()}:/empty`],
      ['/filled', '/empty'],
    );
    await expectMissing(scene.read(source), /\/empty\b.*empty/);
  });

  test('a path that is on no volume and no bind, or hidden by a tmpfs', async () => {
    const inside = await scene.create('inside', [`${scene.folder()}:/data`], ['/srv']);
    await expectMissing(scene.read(inside), /\/srv/);
    const hidden = await scene.create('hidden', [`${scene.folder()}:/data`], ['/data/tmp'], {
      HostConfig: { Tmpfs: { '/data/tmp': '' } },
    });
    await expectMissing(scene.read(hidden), /\/data\/tmp/);
  });

  test('an archive that is none, or is cut', async () => {
    const folder = scene.folder();
    await plantTree(folder);
    const source = await scene.create('corrupt', [`${folder}:/data`], ['/data']);
    const archive = await scene.read(source);
    for (const wrong of [
      Buffer.from('no archive'),
      archive.subarray(0, archive.length - 100),
      Buffer.alloc(0),
    ]) {
      await expect(scene.write(source, wrong)).rejects.toMatchObject({ code: 'data_corrupt' });
    }
    await scene.write(source, archive);
    await scene.untilNoHelpers();
  });

  test('an attribute that cannot be put back is no success', async () => {
    const folder = scene.folder();
    await plantTree(folder);
    const source = await scene.create('xattr', [`${folder}:/data`], ['/data']);
    const archive = await scene.read(source);
    // a file system without user attributes in the same place
    const other = await scene.create('noxattr', [], ['/data'], {
      HostConfig: {
        Mounts: [
          {
            Type: 'volume',
            Target: '/data',
            Source: `${scene.prefix}-tmp`,
            VolumeOptions: {
              DriverConfig: { Name: 'local', Options: { type: 'ramfs', device: 'ramfs' } },
            },
          },
        ],
      },
    });
    const failure = await scene.write(other, archive).then(
      () => undefined,
      (error: unknown) => LiftlockError.from(error),
    );
    expect(failure?.message).toMatch(/attribute|acl/i);
  });
});

describe('who uses the data', () => {
  test('is told by name, whatever way it is mounted, and only while it lives', async () => {
    const folder = scene.folder();
    mkdirSync(join(folder, 'below/deeper'), { recursive: true });
    const source = await scene.create(
      'used',
      [`${folder}/below:/data`, `${scene.prefix}-shared:/volume`],
      ['/data', '/volume'],
    );
    const usedBy = (): Promise<string[]> =>
      scene.driver.data.usedBy(contextOf(scene.endpoint), source);
    expect(await usedBy()).toEqual([]);
    const ways: Record<string, string[]> = {
      same: [`${folder}/below:/elsewhere`],
      above: [`${folder}:/all:ro`],
      deeper: [`${folder}/below/deeper:/part`],
      volume: [`${scene.prefix}-shared:/v`],
    };
    for (const [name, binds] of Object.entries(ways)) {
      const { containerId } = await scene.create(name, binds, []);
      expect(await usedBy(), `${name}, created`).toEqual([]);
      await scene.docker.getContainer(containerId).start();
      expect(await usedBy(), name).toEqual([`${scene.prefix}-${name}`]);
      await scene.docker.getContainer(containerId).pause();
      expect(await usedBy(), `${name}, paused`).toEqual([`${scene.prefix}-${name}`]);
      await scene.docker.getContainer(containerId).unpause();
      await scene.docker.getContainer(containerId).stop({ t: 1 });
      expect(await usedBy(), `${name}, stopped`).toEqual([]);
    }
    const beside = await scene.create(
      'beside',
      [`${scene.folder()}:/data`, `${scene.prefix}-other:/volume`],
      [],
    );
    await scene.docker.getContainer(beside.containerId).start();
    expect(await usedBy()).toEqual([]);
    await scene.docker.getContainer(source.containerId).start();
    expect(await usedBy()).toEqual([source.container]);
  });
});
