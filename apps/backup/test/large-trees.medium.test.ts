import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { blocksOf, treeDigest } from '../../../test/support/data-tree.js';
import { BackupStage } from './support/backup-stage.js';

const GB = 1000 ** 3;

let stage: BackupStage;
beforeAll(async () => {
  stage = await BackupStage.open('dklarge');
});
afterEach(() => stage.clear());
afterAll(() => stage?.close());

test('a folder of 100,000 files comes back as it was', async () => {
  const scene = await stage.setScene((folder) =>
    execFileSync('sh', [
      ...['-c', 'seq 100000 | split --lines=1 --suffix-length=4 - "$1/"', 'sh', folder],
    ]),
  );
  expect(readdirSync(scene.folder)).toHaveLength(100_000);
  const digest = treeDigest(scene.folder);
  expect(await scene.snapshot()).toMatchObject({ files: 100_000 });
  rmSync(scene.folder, { recursive: true });
  mkdirSync(scene.folder);
  await scene.restore();
  expect(treeDigest(scene.folder)).toBe(digest);
}, 300_000);

test('a file of 5 GB that is nearly all hole comes back with its holes', async () => {
  const scene = await stage.setScene((folder) => {
    const file = join(folder, 'sparse');
    appendFileSync(file, 'at its beginning');
    truncateSync(file, 3 * GB);
    appendFileSync(file, 'in the middle');
    truncateSync(file, 5 * GB);
  });
  const before = {
    digest: treeDigest(scene.folder),
    blocks: blocksOf(scene.folder, 'sparse'),
  };
  expect(before.blocks).toBeLessThan(100);
  const made = await scene.snapshot();
  expect(made).toMatchObject({ files: 1, bytes: 5 * GB });
  expect(made.archiveBytes).toBeLessThan(10_000);
  rmSync(join(scene.folder, 'sparse'));
  await scene.restore();
  expect(statSync(join(scene.folder, 'sparse')).size).toBe(5 * GB);
  expect({
    digest: treeDigest(scene.folder),
    blocks: blocksOf(scene.folder, 'sparse'),
  }).toEqual(before);
});
