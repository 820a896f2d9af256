import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { TransferState } from '#drivers/core';
import { systemIds } from '#kernel';
import { damage, treeDigest, treeLines } from '../../../test/support/data-tree.js';
import type { Manifest } from '../src/domain/manifest.js';
import { FolderStore } from '../src/repository/folder-store.js';
import { BackupStage, expectRefused } from './support/backup-stage.js';
import { resticRepository } from './support/restic-repository.js';

let stage: BackupStage;
beforeAll(async () => {
  stage = await BackupStage.open('dkofrestic', (root) => resticRepository(new FolderStore(root)));
});
afterEach(() => stage.clear());
afterAll(() => stage?.close());

test('everything that a file system may hold comes back from restic exactly, by the service and by hand', async () => {
  const scene = await stage.setScene();
  const before = { digest: treeDigest(scene.folder), lines: treeLines(scene.folder) };
  const moved: TransferState[] = [];
  const made = await scene.snapshotAs(
    { consistency: 'stopped', engine: 'restic' },
    { transfer: (state) => void moved.push(state) },
  );
  expect(moved.at(-1)).toMatchObject({ part: 'snapshot', doneBytes: made.archiveBytes });
  const manifest = JSON.parse(
    readFileSync(join(scene.location, 'manifest.json'), 'utf8'),
  ) as Manifest;
  expect(manifest).toMatchObject({
    version: 6,
    archive: { file: 'data.tar', format: 'tar', tools: { restic: /^restic \d/ } },
  });
  damage(scene.folder);
  await scene.restore();
  expect(treeLines(scene.folder)).toEqual(before.lines);
  expect(treeDigest(scene.folder)).toBe(before.digest);
  const { repository = '', snapshot = '' } = manifest.archive.restic ?? {};
  const byHand = mkdtempSync(join(tmpdir(), 'liftlock-by-hand-'));
  try {
    execFileSync(
      'sh',
      [
        '-c',
        'restic --no-cache --repo "$1" dump "$2" "/$3" | ' +
          'tar --extract --file=- --preserve-permissions --same-owner --numeric-owner --xattrs --xattrs-include="*" --acls --directory="$4"',
        ...['sh', repository, snapshot, manifest.archive.file, byHand],
      ],
      { cwd: scene.location, env: { ...process.env, RESTIC_PASSWORD: 'of-the-tests' } },
    );
    expect(treeDigest(join(byHand, 'data'))).toBe(before.digest);
  } finally {
    rmSync(byHand, { recursive: true, force: true });
  }
});

test('of what may go on, restic keeps what was read of it; a second snapshot of the same adds little, and both are listed as its', async () => {
  const scene = await stage.setScene();
  writeFileSync(join(scene.folder, 'large'), randomBytes(8 * 1024 * 1024));
  const added = async (upgrade: string): Promise<number> => {
    const { application } = scene.attempt();
    const key = { environment: 'test', application, upgrade, backup: scene.input.backup };
    return (await stage.repository.folder(key).manifest())?.archive.restic?.addedBytes ?? NaN;
  };
  const [one, two] = [systemIds.next('upg'), systemIds.next('upg')];
  const asked = { consistency: 'running', engine: 'restic' } as const;
  await scene.snapshotAs(asked, { upgrade: one });
  expect(await added(one)).toBeGreaterThan(8 * 1024 * 1024);
  await scene.snapshotAs(asked, { upgrade: two });
  expect(await added(two)).toBeLessThan((await added(one)) * 0.4);
  const [row] = await stage.newCatalogue().list({ upgrade: two, limit: 10 });
  expect(row).toMatchObject({ engine: 'restic', present: true });
  const other = await stage.setScene();
  await other.snapshot();
  const [plain] = await stage.newCatalogue().list({ upgrade: other.attempt().upgrade, limit: 10 });
  expect(plain).toMatchObject({ engine: 'archive', present: true });
});

test('without a password for restic the snapshot is refused, and nothing was read', async () => {
  const scene = await stage.setScene();
  const bare = await BackupStage.open('dkbare');
  try {
    const input = { ...scene.input, consistency: 'stopped', engine: 'restic' } as const;
    await expectRefused(
      bare.snapshots.take(scene.attempt(), input),
      'misconfigured',
      /LIFTLOCK_BACKUP_RESTIC_PASSWORD/,
    );
  } finally {
    await bare.close();
  }
});
