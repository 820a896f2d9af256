import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { DataEntry, DataSource, DataSpace } from '#drivers/core';
import { LiftlockError, waitFor } from '#kernel';
import { damage, plantTree, treeDigest } from '../../../../test/support/data-tree.js';
import { contextOf } from '../../../../test/support/step-context.js';
import { DataScene } from './data-scene.js';

let scene: DataScene;

beforeAll(async () => {
  scene = await DataScene.open('dkinone');
});
afterEach(() => scene.clean());
afterAll(() => scene.close());

async function readMeasured(
  source: DataSource,
  makeRoom: (space: DataSpace) => Promise<void> = async () => undefined,
): Promise<{ readonly archive: Readable; readonly entries: Promise<DataEntry[]> }> {
  const reading = scene.driver.data.readMeasured?.(contextOf(scene.endpoint), source, makeRoom);
  if (reading === undefined) throw new Error('this driver reads and lists apart');
  return reading;
}

test('archive and list out of one helper are those of two', async () => {
  const folder = scene.folder();
  await plantTree(folder);
  const source = await scene.create('all', [`${folder}:/data`], ['/data']);
  const digest = treeDigest(folder);
  const list = await scene.list(source);
  await scene.untilNoHelpers();
  const spaces: DataSpace[] = [];
  let helpers: string[] = [];
  const { archive, entries } = await readMeasured(source, async (space) => {
    spaces.push(space);
    // it stands still until there is room; once it has begun, so little fits the buffers and it may be gone unread
    helpers = await scene.helpers();
  });
  expect(helpers).toHaveLength(1);
  const apart = await scene.driver.data.space(contextOf(scene.endpoint), source);
  expect(spaces.map(withoutFree)).toEqual([withoutFree(apart)]);
  const content = await buffer(archive);
  expect(await entries).toEqual(list);
  damage(folder);
  expect(treeDigest(folder)).not.toBe(digest);
  await scene.write(source, content);
  expect(treeDigest(folder)).toBe(digest);
  await scene.untilNoHelpers();
});

test('a path that is not there is named, and there is neither archive nor list', async () => {
  const folder = scene.folder();
  writeFileSync(join(folder, 'file'), '');
  const source = await scene.create('gap', [`${folder}:/data`], ['/data']);
  await expect(
    readMeasured({ ...source, paths: ['/data/nothing here'] }).then(readAll),
  ).rejects.toMatchObject({
    code: 'data_missing',
    message: expect.stringContaining('/data/nothing here is not there') as string,
  });
  await scene.untilNoHelpers();
});

test('what may not begin, since there is no room, leaves neither a helper nor an archive', async () => {
  const folder = scene.folder();
  await plantTree(folder);
  const source = await scene.create('full', [`${folder}:/data`], ['/data']);
  const full = new LiftlockError('disk_full', 'no space is left');
  await expect(readMeasured(source, () => Promise.reject(full))).rejects.toBe(full);
  await scene.untilNoHelpers();
});

test('a helper image that somebody removed since it was used is built again', async () => {
  const folder = scene.folder();
  await plantTree(folder);
  const source = await scene.create('pruned', [`${folder}:/data`], ['/data']);
  const list = await scene.list(source);
  await scene.untilNoHelpers();
  const reference = { filters: { reference: ['liftlock-helper'] } };
  const images = await scene.docker.listImages(reference);
  expect(images).not.toHaveLength(0);
  for (const { Id } of images) await removeUnused(Id);
  expect(await scene.list(source)).toEqual(list);
  expect(await scene.docker.listImages(reference)).toHaveLength(1);
});

test('a helper that is killed gives neither archive nor list', async () => {
  const folder = scene.folder();
  writeFileSync(
    join(folder, 'noise'),
    Buffer.alloc(48 * 1024 * 1024).map((_, i) => (i * 2_654_435_761) >>> 13),
  );
  const source = await scene.create('killed', [`${folder}:/data`], ['/data']);
  const { archive, entries } = await readMeasured(source);
  await expect(scene.readKilled(archive)).rejects.toMatchObject({ code: 'target_unreachable' });
  await expect(entries).rejects.toBeInstanceOf(Error);
});

/** Helpers of other test files at the same engine may run from it. */
async function removeUnused(image: string): Promise<void> {
  const remove = async (): Promise<boolean> => {
    try {
      await scene.docker.getImage(image).remove({ force: true });
      return true;
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode !== 409) throw error;
      return false;
    }
  };
  await waitFor(remove, { what: 'no helper runs from the image', deadlineMs: 60_000 });
}

async function readAll(found: Awaited<ReturnType<typeof readMeasured>>): Promise<void> {
  await buffer(found.archive);
  await found.entries;
}

/** Others write to the same disk. */
function withoutFree({ disks, entries }: DataSpace): object {
  return { entries, disks: disks.map(({ places, usedBytes }) => ({ places, usedBytes })) };
}
