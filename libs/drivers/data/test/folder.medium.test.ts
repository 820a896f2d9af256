import { execFileSync, spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LiftlockError, waitFor } from '#kernel';
import {
  blocksOf,
  damage,
  plantTree,
  treeDigest,
  treeLines,
} from '../../../../test/support/data-tree.js';
import { expectRefused, FolderScene } from './folder-scene.js';

let scene: FolderScene;
beforeEach(() => {
  scene = new FolderScene();
});
afterEach(() => scene.clean());

describe('a folder', () => {
  test.each([
    ['of its own', 'data', '/', ''],
    ['with others beside it', '.', '/data', '/data'],
  ])('%s is brought back, exactly', async (_name, of, path, prefix) => {
    const folder = scene.folder('share/data');
    const beside = scene.folder('share/beside');
    writeFileSync(join(beside, 'file'), 'stays');
    await plantTree(folder);
    const source = scene.source(join(scene.top, 'share', of), [path]);
    const before = { lines: treeLines(folder), digest: treeDigest(folder) };
    const list = await scene.data.list(scene.attempt(), source);
    expect(list).toHaveLength(before.lines.length);
    const byPath = new Map(list.map((entry) => [entry.path, entry]));
    expect(byPath.get(prefix === '' ? '/' : prefix)?.type).toBe('directory');
    expect(byPath.get(`${prefix}/second-name`)?.sameFileAs).toBe(`${prefix}/first-name`);
    expect(byPath.get(`${prefix}/dangling`)?.linkTarget).toBe('/nowhere/at all');
    expect(byPath.get(`${prefix}/device`)).toMatchObject({ device: '1:3' });
    expect(byPath.get(`${prefix}/attributes`)?.attributes?.['user.note']).toBeDefined();
    expect(byPath.get(`${prefix}/zero`)?.sha256).toMatch(/^e3b0c442/);
    expect(byPath.has(String.raw`${prefix}/latin\xE91`)).toBe(true);
    const archive = await scene.read(source);
    expect(treeDigest(folder)).toBe(before.digest);
    damage(folder);
    await scene.write(source, archive, 'one');
    expect(
      readFileSync(
        join(asideOf(source.folder), 'plain'.replace(/^/, path === '/' ? '' : 'data/')),
        'utf8',
      ),
    ).toBe('PLAIN\n');
    await expectRefused(scene.read(source), 'data_corrupt', /half restored/);
    expect((await scene.data.space(scene.attempt(), source)).keptAside).toEqual(['one']);
    await scene.data.settle(scene.attempt(), source, ['one']);
    expect(treeLines(folder)).toEqual(before.lines);
    expect(treeDigest(folder)).toBe(before.digest);
    expect(blocksOf(folder, 'sparse')).toBeLessThan(64);
    expect(readdirSync(join(scene.top, 'share')).toSorted()).toEqual(['beside', 'data']);
    const after = await scene.data.list(scene.attempt(), source);
    expect(after.map((entry) => ({ ...entry, changed: '' }))).toEqual(
      list.map((entry) => ({ ...entry, changed: '' })),
    );
  });

  test('archive, list and room come out of one script, as out of several', async () => {
    const folder = scene.folder('share');
    await plantTree(folder);
    const source = scene.source(folder);
    const list = await scene.data.list(scene.attempt(), source);
    const space = await scene.data.space(scene.attempt(), source);
    expect(space).toMatchObject({ disks: [{ places: ['/'] }], entries: list.length });
    const both = await scene.data.readMeasured(
      scene.attempt(),
      source,
      async (measured) => measured,
    );
    const archive = await buffer(both.archive);
    expect(await both.entries).toEqual(list);
    expect(both.room).toMatchObject({ disks: [{ places: ['/'] }], entries: list.length });
    const digest = treeDigest(folder);
    damage(folder);
    await scene.write(source, archive);
    expect(treeDigest(folder)).toBe(digest);
    const full = new LiftlockError('disk_full', 'no room');
    const refused = scene.data.readMeasured(scene.attempt(), source, () => Promise.reject(full));
    await expect(refused).rejects.toBe(full);
  });

  test('an archive goes into a file and out of one by itself, from where the descriptor is', async () => {
    const folder = scene.folder('share');
    await plantTree(folder);
    const source = scene.source(folder);
    const list = await scene.data.list(scene.attempt(), source);
    const digest = treeDigest(folder);
    const file = await open(join(scene.top, 'archive'), 'wx+');
    await file.write('before it');
    const { ended, entries, room } = await scene.data.readMeasuredInto(
      ...([scene.attempt(), source, file] as const),
      async (measured) => measured,
    );
    await ended;
    expect(await entries).toEqual(list);
    expect(room).toMatchObject({ disks: [{ places: ['/'] }], entries: list.length });
    await file.close();
    damage(folder);
    const archive = await open(join(scene.top, 'archive'));
    await archive.read(Buffer.alloc(9));
    const back = await scene.data.writeFrom(scene.attempt(), source, archive, 'one');
    expect(back).toEqual(await scene.data.list(scene.attempt(), source));
    // all of it was read, by the descriptor that was given
    expect((await archive.read(Buffer.alloc(9))).bytesRead).toBe(0);
    await archive.close();
    await scene.data.settle(scene.attempt(), source, ['one']);
    expect(treeDigest(folder)).toBe(digest);
  });

  test('an archive that has no room, or is none, is an error of the file that it goes into or comes from', async () => {
    const folder = scene.folder('share');
    await plantTree(folder);
    const source = scene.source(folder);
    const full = new LiftlockError('disk_full', 'no room');
    const file = await open(join(scene.top, 'archive'), 'wx+');
    const refused = scene.data.readMeasuredInto(scene.attempt(), source, file, () =>
      Promise.reject(full),
    );
    await expect(refused).rejects.toBe(full);
    expect((await file.stat()).size).toBe(0);
    const none = scene.source(join(scene.top, 'none'));
    await expectRefused(
      scene.data.readMeasuredInto(scene.attempt(), none, file, async () => undefined),
      'data_missing',
      /none is not there/,
    );
    await expectRefused(
      scene.data.writeFrom(scene.attempt(), source, file, 'one'),
      'data_corrupt',
      /./,
    );
    await file.close();
    const device = await open('/dev/full', 'w');
    await scene.data.settle(scene.attempt(), source, ['one']);
    await plantTree(folder);
    const { ended, entries } = await scene.data.readMeasuredInto(
      ...([scene.attempt(), source, device] as const),
      async () => undefined,
    );
    await expectRefused(ended, 'disk_full', /zstd: .*No space left on device/);
    await expect(entries).rejects.toMatchObject({ code: 'disk_full' });
    await device.close();
  });

  test('with file systems mounted in it, above and below its paths, keeps and puts back each where it is', async () => {
    const share = scene.folder('share');
    const disk = scene.folder('share/disk');
    scene.mount(disk, ['-t', 'tmpfs', 'tmpfs']);
    const inner = scene.folder('share/disk/kbs/inner');
    scene.mount(inner, ['-t', 'tmpfs', 'tmpfs']);
    writeFileSync(join(disk, 'beside'), 'beside');
    writeFileSync(join(disk, 'kbs/file'), 'kbs');
    writeFileSync(join(inner, 'file'), 'inner');
    const source = scene.source(share, ['/disk/kbs']);
    const before = treeDigest(join(disk, 'kbs'));
    const archive = await scene.read(source);
    for (const folder of [join(disk, 'kbs'), inner]) writeFileSync(join(folder, 'file'), 'changed');
    writeFileSync(join(inner, 'new'), 'new');
    await scene.write(source, archive, 'one');
    // moved within its own file system, never copied to another
    expect(readFileSync(join(asideOf(disk), 'kbs/file'), 'utf8')).toBe('changed');
    expect(readdirSync(asideOf(inner)).toSorted()).toEqual(['file', 'new']);
    expect(existsSync(join(share, '.liftlock-aside-one/data/disk'))).toBe(false);
    await scene.data.settle(scene.attempt(), source, ['one']);
    expect(treeDigest(join(disk, 'kbs'))).toBe(before);
    expect(readdirSync(disk).toSorted()).toEqual(['beside', 'kbs']);
    const { mounts, image } = await scene.data.origin(scene.attempt(), source);
    expect(image).toBeUndefined();
    expect(mounts.slice(1)).toEqual([
      { destination: '/disk', kind: 'bind', source: 'tmpfs:/ (tmpfs)' },
      { destination: '/disk/kbs/inner', kind: 'bind', source: 'tmpfs:/ (tmpfs)' },
    ]);
  });

  test('that is read-only is read, with a warning; nothing is put back, and why is said', async () => {
    const share = scene.folder('share');
    writeFileSync(join(share, 'file'), 'one');
    const seen = scene.folder('seen');
    scene.mount(seen, ['--bind', share]);
    execFileSync('mount', ['-o', 'remount,bind,ro', seen]);
    const source = scene.source(seen);
    const context = scene.attempt();
    const archive = await buffer(await scene.data.read(context, source));
    expect(context.lines.join()).toContain('mounted read-only');
    writeFileSync(join(share, 'file'), 'two');
    for (const keepAside of ['one', undefined])
      await expectRefused(
        scene.write(source, archive, keepAside),
        'target_refused',
        /Read-only file system/,
      );
    expect(readFileSync(join(share, 'file'), 'utf8')).toBe('two');
  });

  test('that squashes owners is not as it was after a restore that seemed to succeed', async () => {
    const share = scene.folder('share');
    const seen = scene.folder('seen');
    await plantTree(share);
    // as a share with root_squash: a chown seems to succeed
    scene.mount(
      seen,
      ['--chown-ignore', '--chgrp-ignore', '--create-for-user=65534', share],
      'bindfs',
    );
    const source = scene.source(seen);
    const list = await scene.data.list(scene.attempt(), source);
    const archive = await scene.read(source);
    damage(seen);
    await scene.write(source, archive, 'one');
    const after = await scene.data.list(scene.attempt(), source);
    const owned = (all: typeof list) => all.find(({ path }) => path === '/owned')?.uid;
    expect([owned(list), owned(after)]).toEqual([4_000_123, 65_534]);
    // what was there is still there
    expect(readFileSync(join(asideOf(share), 'plain'), 'utf8')).toBe('PLAIN\n');
  });
});

describe('nothing is touched', () => {
  test('of a folder that the service may not touch, however it is named', async () => {
    writeFileSync(join(scene.folder('share'), 'file'), '');
    const elsewhere = '/etc';
    symlinkSync(elsewhere, join(scene.top, 'link'));
    // nor is it told what is there
    for (const folder of [
      '/nowhere/at all',
      elsewhere,
      join(scene.top, 'link'),
      join(scene.top, '../..', 'etc'),
    ])
      await expectRefused(
        scene.data.list(scene.attempt(), scene.source(folder)),
        'misconfigured',
        /may not touch the folder .*LIFTLOCK_FOLDERS/,
      );
  });

  test('where a symbolic link leads elsewhere', async () => {
    const share = scene.folder('share');
    const other = scene.folder('other/kbs');
    writeFileSync(join(other, 'file'), 'other');
    symlinkSync('../other', join(share, 'through'));
    const source = scene.source(share, ['/through/kbs']);
    await expectRefused(scene.read(source), 'target_refused', /leads through a symbolic link to/);
    await expectRefused(scene.write(source, Buffer.alloc(0), 'one'), 'target_refused', /symbolic/);
    expect(readdirSync(other)).toEqual(['file']);
    // a data path that is one holds nothing itself
    await expectRefused(
      scene.read(scene.source(share, ['/through'])),
      'target_refused',
      /symbolic/,
    );
  });

  test('of what is not there, or empty', async () => {
    const share = scene.folder('share/empty');
    await expectRefused(
      scene.read(scene.source(join(scene.top, 'none'))),
      'data_missing',
      /none is not there .*mounted\?/,
    );
    await expectRefused(scene.read(scene.source(share)), 'data_missing', /is an empty folder/);
    await expectRefused(
      scene.read(scene.source(join(scene.top, 'share'), ['/kbs'])),
      'data_missing',
      /kbs is not there/,
    );
  });

  test('once the guard says no', async () => {
    const share = scene.folder('share');
    writeFileSync(join(share, 'file'), 'file');
    const fenced = new LiftlockError('fenced', 'a later attempt has taken over');
    const context = scene.attempt({ guard: () => Promise.reject(fenced) });
    await expect(scene.data.read(context, scene.source(share))).rejects.toBe(fenced);
    const write = scene.data.write(context, scene.source(share), Readable.from([Buffer.from('x')]));
    await expect(write).rejects.toBe(fenced);
    expect(readdirSync(share)).toEqual(['file']);
  });
});

describe('who works on a folder', () => {
  test('is a process that has a file of it open, also by another mount, and nobody else', async () => {
    const share = scene.folder('share/kbs');
    const beside = scene.folder('share/beside');
    for (const folder of [share, beside]) writeFileSync(join(folder, 'file'), 'x');
    const source = scene.source(join(scene.top, 'share'), ['/kbs']);
    const users = (): Promise<string[]> => scene.data.usedBy(scene.attempt(), source);
    expect(await users()).toEqual([]);
    const open = async (
      script: string,
      words: readonly string[] = [],
    ): Promise<() => Promise<void>> => {
      const child = spawn(
        'unshare',
        ['--mount', 'sh', '-c', `${script}; echo open; exec sleep 600`, ...words],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      await once(child.stdout, 'data');
      const name = (): string => readFileSync(`/proc/${child.pid}/comm`, 'utf8').trim();
      await waitFor(() => name() === 'sleep', { what: 'it sleeps', deadlineMs: 60_000 });
      return async () => {
        child.kill('SIGKILL');
        await once(child, 'exit');
      };
    };
    const closes = [await open(`exec 7<${beside}/file`), await open(`cd ${share}`)];
    expect(await users()).toEqual([]);
    closes.push(await open(`exec 7>>${share}/file`));
    expect(await users()).toEqual([expect.stringMatching(/^process \d+ \(sleep\)$/)]);
    // as a container has it, by a name of its own
    const other = scene.folder('elsewhere');
    closes.push(await open(`mount --bind ${share} ${other} && exec 7<${other}/file`));
    expect(await users()).toHaveLength(2);
    for (const close of closes) await close();
    expect(await users()).toEqual([]);
  });
});

test('a restore that was cut off while it moved, or removed, is taken up by the next', async () => {
  const share = scene.folder('share');
  await plantTree(share);
  const source = scene.source(share);
  const digest = treeDigest(share);
  const archive = await scene.read(source);
  damage(share);
  await expectRefused(scene.write(source, archive.subarray(0, 2_000), 'one'), 'data_corrupt', /./);
  expect(statSync(join(share, '.liftlock-aside-one/complete')).size).toBe(0);
  await scene.write(source, archive, 'one');
  expect(readFileSync(join(asideOf(share), 'plain'), 'utf8')).toBe('PLAIN\n');
  renameSync(join(share, '.liftlock-aside-one'), join(share, '.liftlock-aside-one.gone'));
  await scene.write(source, archive);
  await scene.data.settle(scene.attempt(), source, ['one']);
  expect(treeDigest(share)).toBe(digest);
  mkdirSync(join(share, 'new'));
  rmSync(join(share, 'plain'));
  await scene.write(source, archive);
  expect(treeDigest(share)).toBe(digest);
});

test('what others change beside the data meanwhile is no error', async () => {
  const share = scene.folder('share');
  const folder = scene.folder('share/kbs');
  await plantTree(folder);
  const source = scene.source(share, ['/kbs']);
  const digest = treeDigest(folder);
  const archive = await scene.read(source);
  damage(folder);
  await scene.write(source, archive, 'one');
  const beside = join(share, 'beside');
  const others = setInterval(() => {
    mkdirSync(beside);
    rmSync(beside, { recursive: true });
  }, 0);
  try {
    await scene.data.settle(scene.attempt(), source, ['one']);
  } finally {
    clearInterval(others);
  }
  expect(treeDigest(folder)).toBe(digest);
  expect(readdirSync(share)).toEqual(['kbs']);
});

/** What is kept aside right below a mount. */
function asideOf(folder = ''): string {
  return join(folder, '.liftlock-aside-one/data');
}
