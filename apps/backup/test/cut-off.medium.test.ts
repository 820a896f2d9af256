import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '#kernel';
import { damage, plantTree, treeDigest } from '../../../test/support/data-tree.js';
import { S3Server } from '../../../test/support/s3-server.js';
import { FolderStore } from '../src/repository/folder-store.js';
import { Repository } from '../src/repository/repository.js';
import { BackupStage, expectRefused, type Scene } from './support/backup-stage.js';
import { killWhileTaking } from './support/kill-while-taking.js';
import { s3StoreOn } from './support/s3-store-on.js';

const MIB = 1024 * 1024;

let server: S3Server;
beforeAll(async () => {
  server = await S3Server.start();
});
afterAll(() => server?.stop());

describe.each([
  { where: 'a bucket', prefix: 'dkcutbucket', isBucket: true },
  { where: 'a folder', prefix: 'dkcutfolder', isBucket: false },
])('in $where', ({ prefix, isBucket }) => {
  let stage: BackupStage;
  beforeAll(async () => {
    stage = await BackupStage.open(
      prefix,
      (root) => new Repository(isBucket ? s3StoreOn(server) : new FolderStore(root)),
    );
  });
  afterEach(async () => {
    await stage.clear();
    server.clear();
  });
  afterAll(() => stage?.close());

  const large = (): Promise<Scene> =>
    stage.setScene(async (folder) => {
      await plantTree(folder);
      writeFileSync(join(folder, 'noise'), randomBytes(24 * MIB));
    });

  /** Whether some of the archive is in the store, and no manifest. */
  function isUploading(scene: Scene): boolean {
    if (!isBucket) {
      const [partial = ''] = readdirSync(join(scene.location, '..'));
      const archive = join(scene.location, '..', partial, 'data.tar.zst');
      return partial.endsWith('.partial') && existsSync(archive) && statSync(archive).size > MIB;
    }
    const [upload] = server.uploads.values();
    return upload !== undefined && upload.parts.size > 0 && server.objects.size === 0;
  }

  test('a snapshot whose service is killed in mid-upload is not listed, and the next attempt makes it', async () => {
    const scene = await large();
    const digest = treeDigest(scene.folder);
    await killWhileTaking(
      ...([stage, scene, { consistency: 'stopped' }] as const),
      { stallsAfter: 11 * MIB, bucket: isBucket ? server : undefined },
      () =>
        waitFor(async () => isUploading(scene), {
          what: 'some of it was uploaded',
          deadlineMs: 60_000,
        }),
    );
    expect(isUploading(scene)).toBe(true);
    const { upgrade } = scene.attempt();
    expect(await stage.newCatalogue().list({ upgrade, limit: 10 })).toEqual([]);
    await expectRefused(scene.restore(), 'data_missing', /there is no backup/);
    await scene.snapshot({ token: 7 });
    expect(await stage.newCatalogue().list({ upgrade, limit: 10 })).toHaveLength(1);
    if (isBucket) expect([server.objects.size, server.uploads.size]).toEqual([2, 0]);
    else expect(readdirSync(join(scene.location, '..'))).toEqual([scene.input.backup]);
    damage(scene.folder);
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
  });
});

describe('data that is put back', () => {
  let stage: BackupStage;
  beforeAll(async () => {
    stage = await BackupStage.open(
      'dkcutrestore',
      () => new Repository(s3StoreOn(server, { attempts: 2 })),
    );
  });
  afterEach(async () => {
    await stage.clear();
    server.clear();
  });
  afterAll(() => stage?.close());

  test('from a store that goes away meanwhile is half restored, is said to be, and comes back when the store does', async () => {
    const scene = await stage.setScene(async (folder) => {
      await plantTree(folder);
      writeFileSync(join(folder, 'noise'), randomBytes(24 * MIB));
    });
    const digest = treeDigest(scene.folder);
    await scene.snapshot();
    damage(scene.folder);
    const damaged = readdirSync(scene.folder).toSorted();
    // it was read against its hash when it is read to be put back
    const isArchive = ({ method, key }: { method: string; key: string }): boolean =>
      method === 'GET' && key.includes('/data.');
    let isGone = false;
    const goAway: Parameters<Scene['restore']>[0] = {
      transfer: ({ part, doneBytes, totalBytes }) => {
        if (isGone || part !== 'read' || doneBytes < totalBytes) return;
        isGone = true;
        server.faults.push({ when: isArchive, does: { cutAfter: 8 * MIB } });
        server.faults.push({
          ...{ when: isArchive, times: 99, does: { code: 'InternalError', status: 500 } },
        });
      },
    };
    await expectRefused(scene.restore(goAway), 'unavailable', /InternalError, HTTP 500/);
    expect(isGone).toBe(true);
    const { upgrade } = scene.attempt();
    const [half] = await stage.newCatalogue().list({ upgrade, limit: 1 });
    expect(half?.incompleteSince).toBeDefined();
    const another = { ...scene.input, backup: 'another', consistency: 'stopped' } as const;
    await expectRefused(
      stage.snapshots.take(scene.attempt(), another),
      'data_corrupt',
      /half restored/,
    );
    // what was found lies beside it
    const aside = readdirSync(scene.folder).find((name) => name.startsWith('.liftlock-aside-'));
    const kept = join(scene.folder, aside ?? '', 'data');
    expect(readdirSync(kept).toSorted()).toEqual(damaged);
    expect(readFileSync(join(kept, 'plain'), 'utf8')).toBe('PLAIN\n');
    server.faults.length = 0;
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
  });

  test('twice at once, and beside another’s, is what was there', async () => {
    const [one, other] = [await stage.setScene(), await stage.setScene()];
    const digests = [one, other].map(({ folder }) => treeDigest(folder));
    for (const scene of [one, other]) {
      await scene.snapshot();
      damage(scene.folder);
    }
    const [first, second, beside] = await Promise.allSettled([
      ...[one.restore(), one.restore(), other.restore()],
    ]);
    expect(beside?.status).toBe('fulfilled');
    // each may have been in the other's way: as the saga does then, it is tried again
    if (first?.status === 'rejected' || second?.status === 'rejected') await one.restore();
    expect([one, other].map(({ folder }) => treeDigest(folder))).toEqual(digests);
    const half = `SELECT FROM backups WHERE backup = '${one.input.backup}' AND incomplete_since IS NOT NULL`;
    expect(await stage.query(half)).toEqual([]);
  });
});
