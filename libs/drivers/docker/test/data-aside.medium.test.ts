import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { LiftlockError } from '#kernel';
import { damage, plantTree, treeDigest, treeLines } from '../../../../test/support/data-tree.js';
import { contextOf } from '../../../../test/support/step-context.js';
import { DataScene } from './data-scene.js';

type Source = Awaited<ReturnType<DataScene['create']>>;
const NAME = 'upg_1-h1-web@host';
const ASIDE = `.liftlock-aside-${NAME}`;

let scene: DataScene;
beforeAll(async () => {
  scene = await DataScene.open('dkaside');
});
afterEach(() => scene.clean());
afterAll(() => scene?.close());

const write = (source: Source, archive: Buffer): Promise<void> =>
  scene.driver.data.write(contextOf(scene.endpoint), source, Readable.from([archive]), NAME);
const settle = (source: Source): Promise<void> =>
  scene.driver.data.settle(contextOf(scene.endpoint), source, [NAME]);
const keptAside = async (source: Source): Promise<readonly string[]> =>
  (await scene.driver.data.space(contextOf(scene.endpoint), source)).keptAside;
/** Without the folder's own line: its times and mode are not those of what it held. */
const linesIn = (folder: string): string[] =>
  treeLines(folder).filter((line) => !/\d {2}-> $/.test(line));
const codeOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'done',
    (error: unknown) => LiftlockError.from(error).code,
  );

test('what a restore finds is kept to the byte, also when the restore breaks off, and the next one takes it up', async () => {
  const folder = scene.folder();
  await plantTree(folder);
  const source = await scene.create('all', [`${folder}:/data`], ['/data']);
  const before = { digest: treeDigest(folder), list: await scene.list(source) };
  const archive = await scene.read(source);
  damage(folder);
  const damaged = linesIn(folder);
  expect(await codeOf(write(source, archive.subarray(0, archive.length >> 1)))).toBe(
    'data_corrupt',
  );
  expect(linesIn(join(folder, ASIDE, 'data'))).toEqual(damaged);
  expect(await keptAside(source)).toEqual([NAME]);
  // half of it is no data: nothing reads it
  expect(await codeOf(scene.read(source))).toBe('data_corrupt');
  // half of what was put back must not take the place of what was found
  writeFileSync(join(folder, 'plain'), 'half restored');
  await write(source, archive);
  expect(linesIn(join(folder, ASIDE, 'data'))).toEqual(damaged);
  const pathsOf = (list: typeof before.list): string[] => list.map(({ path }) => path);
  expect(pathsOf(await scene.list(source))).toEqual(pathsOf(before.list));
  await settle(source);
  expect(treeDigest(folder)).toBe(before.digest);
  expect(await keptAside(source)).toEqual([]);
  await settle(source);
  expect(treeDigest(folder)).toBe(before.digest);
});

test('an attempt that was killed while it moved: the next one moves the rest, and loses none of it', async () => {
  const folder = scene.folder();
  writeFileSync(join(folder, 'one'), 'before');
  writeFileSync(join(folder, 'two'), 'before');
  const source = await scene.create('moving', [`${folder}:/data`], ['/data']);
  const digest = treeDigest(folder);
  const archive = await scene.read(source);
  writeFileSync(join(folder, 'one'), 'after');
  writeFileSync(join(folder, 'two'), 'after');
  const damaged = linesIn(folder);
  mkdirSync(join(folder, ASIDE, 'data'), { recursive: true });
  renameSync(join(folder, 'one'), join(folder, ASIDE, 'data/one'));
  expect(await keptAside(source)).toEqual([]);
  await write(source, archive);
  expect(linesIn(join(folder, ASIDE, 'data'))).toEqual(damaged);
  // and one that was killed while it removed what it had kept
  renameSync(join(folder, ASIDE), join(folder, `${ASIDE}.gone`));
  await write(source, archive);
  await settle(source);
  expect(treeDigest(folder)).toBe(digest);
});

test('mounts below one another each keep their own; a folder beside the data is not touched', async () => {
  const [outer, inner, other] = [scene.folder(), scene.folder(), scene.folder()];
  mkdirSync(join(outer, 'sub/inner'), { recursive: true });
  writeFileSync(join(outer, 'sub/beside'), 'beside the inner mount');
  writeFileSync(join(outer, "odd * 'name'"), 'odd');
  writeFileSync(join(inner, 'deep'), 'inner');
  mkdirSync(join(other, 'data'));
  writeFileSync(join(other, 'data/file'), 'one path of a mount');
  writeFileSync(join(other, 'not data'), 'stays');
  const source = await scene.create(
    'mounts',
    [`${outer}:/data`, `${inner}:/data/sub/inner`, `${other}:/other`],
    ['/data', '/other/data'],
  );
  const all = [outer, inner, join(other, 'data')];
  const before = all.map(treeDigest);
  const archive = await scene.read(source);
  for (const folder of all) writeFileSync(join(folder, 'new'), 'of the new version');
  execFileSync('rm', [join(inner, 'deep'), join(outer, 'sub/beside')]);
  await write(source, archive);
  expect(readdirSync(join(outer, ASIDE, 'data')).toSorted()).toEqual([
    'new',
    "odd * 'name'",
    'sub',
  ]);
  expect(readdirSync(join(inner, ASIDE, 'data'))).toEqual(['new']);
  expect(readdirSync(join(other, ASIDE, 'data/data')).toSorted()).toEqual(['file', 'new']);
  expect(existsSync(join(other, 'not data'))).toBe(true);
  await settle(source);
  expect(all.map(treeDigest)).toEqual(before);
  expect(readdirSync(other).toSorted()).toEqual(['data', 'not data']);
});

test('a mount of the host inside the data is named, and nothing is read, moved or cleared', async () => {
  const folder = scene.folder();
  const disk = join(folder, 'db', 'a disk');
  mkdirSync(disk, { recursive: true });
  writeFileSync(join(disk, 'beneath'), 'b');
  const source = await scene.create('strange', [`${folder}:/data`], ['/data']);
  const archive = await scene.read(source);
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', disk]);
  try {
    writeFileSync(join(disk, 'log'), 'l');
    const refused = {
      code: 'target_refused',
      message: expect.stringContaining('is a mount of the host inside the data') as string,
    };
    await expect(scene.read(source)).rejects.toMatchObject(refused);
    await expect(scene.list(source)).rejects.toMatchObject(refused);
    await expect(write(source, archive)).rejects.toMatchObject(refused);
    expect([readdirSync(folder), readdirSync(disk)]).toEqual([['db'], ['log']]);
  } finally {
    execFileSync('umount', [disk]);
  }
});
