import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { LiftlockError, systemIds } from '#kernel';
import { damage, plantTree, treeDigest } from '../../../test/support/data-tree.js';
import type { BackupKey } from '../src/repository/backup-folder.js';
import { FolderStore } from '../src/repository/folder-store.js';
import { Repository } from '../src/repository/repository.js';
import { BackupStage, expectRefused } from './support/backup-stage.js';
import { someManifest } from './support/some-manifest.js';

const MIB = 1024 * 1024;
const never = new AbortController().signal;

const mounted: string[] = [];
function unmount(): void {
  for (const folder of mounted.splice(0)) execFileSync('umount', ['--lazy', folder]);
}

function mountDisk(folder: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
  mounted.push(folder);
}
const remount = (folder: string, options: string): unknown =>
  execFileSync('mount', ['-o', `remount,${options}`, folder]);

describe('a disk of the repository', () => {
  const key: BackupKey = {
    ...{ environment: 'test', application: 'app' },
    ...{ upgrade: systemIds.next('upg'), backup: 'h1-web@docker-1' },
  };
  const KEPT = 40_000;
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'liftlock-full-'));
  });
  afterEach(unmount);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  async function write(repository: Repository, token: number): Promise<void> {
    const attempt = await repository.folder(key).begin(token);
    const body = Readable.from([randomBytes(KEPT)]);
    try {
      const archive = await attempt.writeArchive('data.tar.zst', body, never);
      await attempt.commit(someManifest(key, archive, token), () => Promise.resolve());
    } finally {
      await attempt.discard();
    }
  }

  async function listed(repository: Repository): Promise<BackupKey[]> {
    const found: BackupKey[] = [];
    for await (const one of repository.store.scan()) found.push(one);
    return found;
  }

  // a disk gives whole pages, and a name for each folder and file
  test.each([
    { what: 'pages', option: (n: number) => `size=${n * 4}k` },
    { what: 'names', option: (n: number) => `size=1m,nr_inodes=${n}` },
  ])(
    'that is full at any of its $what takes nothing that counts, says so, and takes all with one more',
    async ({ option }) => {
      const repository = new Repository(new FolderStore(root));
      let refused = 0;
      for (let has = 1; ; has += 1) {
        mountDisk(root, option(has));
        const code = await write(repository, has).then(
          () => 'written',
          (error: unknown) => LiftlockError.from(error).code,
        );
        if (code === 'written') break;
        expect(`${has}: ${code}`).toBe(`${has}: disk_full`);
        expect(await listed(repository)).toEqual([]);
        const left = readdirSync(root, { recursive: true, encoding: 'utf8' });
        expect(left.filter((name) => /partial|data|manifest/.test(name))).toEqual([]);
        refused += 1;
        unmount();
      }
      // folders that lead to it, its own, archive, manifest
      expect(refused).toBeGreaterThanOrEqual(5);
      expect(await listed(repository)).toEqual([key]);
    },
  );
});

describe('data and its store', () => {
  let stage: BackupStage;
  beforeAll(async () => {
    stage = await BackupStage.open('dktrouble');
  });
  afterEach(async () => {
    unmount();
    await stage.clear();
  });
  afterAll(() => stage?.close());

  test('a store that is read-only takes no snapshot, and says so; what it holds is read back, verified and restored', async () => {
    const scene = await stage.setScene();
    mountDisk(stage.root, 'size=64m');
    await scene.snapshot();
    const digest = treeDigest(scene.folder);
    remount(stage.root, 'ro');
    const other = await stage.setScene();
    await expectRefused(other.snapshot(), 'misconfigured', /is mounted read-only/);
    expect(readdirSync(join(stage.root, 'test'))).toHaveLength(1);
    const { upgrade } = scene.attempt();
    await stage.verifying.begin({ upgrade, backup: scene.input.backup });
    await expect
      .poll(async () => (await stage.newCatalogue().list({ upgrade, limit: 1 }))[0]?.verification)
      .toMatchObject({ state: 'whole' });
    damage(scene.folder);
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
  });

  test('a disk that the data fills up in mid-restore: half restored, said so, and whole when there is room', async () => {
    const scene = await stage.setScene(async (folder) => {
      mountDisk(folder, 'size=160m');
      await plantTree(folder);
      writeFileSync(join(folder, 'large'), randomBytes(16 * MIB));
    });
    const digest = treeDigest(scene.folder);
    await scene.snapshot();
    damage(scene.folder);
    const damaged = readdirSync(scene.folder).toSorted();
    // there was room when it was looked at
    let isFull = false;
    await expectRefused(
      scene.restore({
        transfer: ({ part, doneBytes, totalBytes }) => {
          if (isFull || part !== 'read' || doneBytes < totalBytes) return;
          isFull = true;
          remount(scene.folder, 'size=24m');
        },
      }),
      'disk_full',
    );
    const half = `SELECT FROM backups WHERE backup = '${scene.input.backup}' AND incomplete_since IS NOT NULL`;
    expect(await stage.query(half)).toHaveLength(1);
    const aside = readdirSync(scene.folder).find((name) => name.startsWith('.liftlock-aside-'));
    expect(readdirSync(join(scene.folder, aside ?? '', 'data')).toSorted()).toEqual(damaged);
    remount(scene.folder, 'size=160m');
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
    expect(await stage.query(half)).toEqual([]);
  });
});
