import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { newFolder, treeDigest } from '../../../test/support/data-tree.js';
import type { Manifest } from '../src/domain/manifest.js';
import { FolderRestoreService } from '../src/folder-restore.service.js';
import { BackupStage, expectRefused, type Scene } from './support/backup-stage.js';

let stage: BackupStage;
beforeAll(async () => {
  stage = await BackupStage.open('dktofolder');
});
afterEach(() => stage.clear());
afterAll(() => stage?.close());

const service = new FolderRestoreService();

async function restore(
  scene: Scene,
  to: string,
  change?: (manifest: Manifest) => Manifest,
  archive?: Buffer,
): Promise<string[]> {
  const context = scene.attempt();
  const folder = stage.repository.folder({ ...context, backup: scene.input.backup });
  const stored = await folder.manifest();
  if (stored === undefined) throw new Error('there is no backup');
  const manifest = await folder.opened(stored);
  const from = archive === undefined ? folder : { readArchive: () => Readable.from([archive]) };
  return service.restore(context, from, change?.(manifest) ?? manifest, to);
}

test('a folder gets all of it, and only one that is empty', async () => {
  const scene = await stage.setScene();
  const digest = treeDigest(scene.folder);
  await scene.snapshot();
  const to = join(newFolder(), 'not', 'there');
  expect(await restore(scene, to)).toEqual([]);
  expect(treeDigest(join(to, 'data'))).toBe(digest);
  expect(readdirSync(to)).toEqual(['data']);
  await expectRefused(restore(scene, to), 'not_empty', /is not empty \(data\)/);
  const file = join(newFolder(), 'file');
  writeFileSync(file, '');
  await expectRefused(restore(scene, file), 'internal', /./);
});

test('zeros behind the end of an archive are taken in, however many', async () => {
  const scene = await stage.setScene();
  const digest = treeDigest(scene.folder);
  await scene.snapshot();
  const archive = zstdDecompressSync(readFileSync(join(scene.location, 'data.tar.zst')));
  const zeros = Buffer.alloc(8 * 1024 * 1024);
  const to = newFolder();
  await restore(scene, to, undefined, zstdCompressSync(Buffer.concat([archive, zeros])));
  expect(treeDigest(join(to, 'data'))).toBe(digest);
});

test('what does not come out right says so, and the folder stays marked', async () => {
  const scene = await stage.setScene();
  await scene.snapshot();
  const to = newFolder();
  const other = (manifest: Manifest): Manifest => ({
    ...manifest,
    entries: manifest.entries.map((entry) =>
      entry.path === '/data/plain' ? { ...entry, mode: '0601' } : entry,
    ),
  });
  await expectRefused(restore(scene, to, other), 'data_corrupt', /\/data\/plain has mode/);
  expect(readdirSync(to)).toContain('.liftlock-incomplete');
  await expectRefused(restore(scene, to), 'not_empty', /a restore to it did not end/);
  const archive = join(scene.location, 'data.tar.zst');
  const bytes = readFileSync(archive);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 3) ^ 1, bytes.length - 3);
  writeFileSync(archive, bytes);
  const second = join(newFolder(), 'second');
  mkdirSync(second);
  await expectRefused(restore(scene, second), 'data_corrupt', /data\.tar\.zst has sha256/);
  const large = (manifest: Manifest): Manifest => ({ ...manifest, spaceBytes: 1e18 });
  const third = join(newFolder(), 'third');
  await expectRefused(restore(scene, third, large), 'disk_full', /does not fit into/);
});
