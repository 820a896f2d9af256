import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { TransferState } from '#drivers/core';
import { LiftlockError, systemIds } from '#kernel';
import { damage, treeDigest, treeLines } from '../../../test/support/data-tree.js';
import { crashAt } from '../../../test/support/step-context.js';
import { BackupStage, expectRefused } from './support/backup-stage.js';

let stage: BackupStage;
beforeAll(async () => {
  stage = await BackupStage.open('dksnap');
});
afterEach(() => stage.clear());
afterAll(() => stage?.close());

describe('a snapshot', () => {
  test('is an archive and a manifest of every entry, listed once, however often it is asked for', async () => {
    const scene = await stage.setScene();
    const moved: TransferState[] = [];
    const made = await scene.snapshot({ transfer: (state) => void moved.push(state) });
    expect(moved.at(-1)).toMatchObject({ part: 'snapshot', doneBytes: made.archiveBytes });
    expect(readdirSync(scene.location).toSorted()).toEqual(['data.tar.zst', 'manifest.json']);
    expect(statSync(join(scene.location, 'manifest.json')).mode & 0o777).toBe(0o600);
    expect(statSync(scene.location).mode & 0o777).toBe(0o700);
    const manifest = JSON.parse(readFileSync(join(scene.location, 'manifest.json'), 'utf8')) as {
      entries: unknown[];
      archive: { tools: object };
      consistency: string;
    };
    expect(manifest.entries).toHaveLength(treeLines(scene.folder).length);
    expect(manifest.archive.tools).toEqual({
      tar: expect.stringContaining('GNU tar') as string,
      zstd: expect.stringContaining('Zstandard') as string,
    });
    expect(made).toMatchObject({ location: scene.location, backup: scene.input.backup });
    expect(made.archiveBytes).toBe(statSync(join(scene.location, 'data.tar.zst')).size);
    const again = await scene.snapshot();
    expect(again).toEqual(made);
    const rows = await stage.query<{ n: string }>(
      `SELECT count(*) AS n FROM backups WHERE backup = '${scene.input.backup}'`,
    );
    expect(rows).toEqual([{ n: '1' }]);
  });

  test('is refused while anything that mounts the data runs, and leaves nothing', async () => {
    const scene = await stage.setScene();
    const other = await stage.startOther(`${scene.folder}:/elsewhere:ro`);
    await expectRefused(scene.snapshot(), 'data_in_use', /dksnap-other/);
    await other.stop({ t: 1 });
    await stage.docker.getContainer(scene.containerId).start();
    await expectRefused(scene.snapshot(), 'data_in_use', new RegExp(scene.input.container));
    expect(existsSync(scene.location)).toBe(false);
  });

  test('of an empty folder, or of none, is refused by name', async () => {
    const scene = await stage.setScene(() => undefined);
    await expectRefused(scene.snapshot(), 'data_missing', /\/data is an empty folder/);
    const missing = { ...scene.input, paths: ['/data/none'], consistency: 'stopped' as const };
    await expectRefused(
      stage.snapshots.take(scene.attempt(), missing),
      'data_missing',
      /\/data\/none is not there/,
    );
    expect(readdirSync(join(stage.root, 'test'))).not.toContain(scene.input.backup);
    expect(
      await stage.query(`SELECT 1 FROM backups WHERE backup = '${scene.input.backup}'`),
    ).toEqual([]);
  });

  test('cut off at any question of the guard leaves nothing listed, and the next attempt ends it', async () => {
    const scene = await stage.setScene();
    let crash = crashAt(1);
    let cuts = 0;
    for (let at = 1; at <= 20; at += 1) {
      crash = crashAt(at);
      const outcome = await scene.snapshot(crash).then(
        () => 'done',
        (error: unknown) => LiftlockError.from(error).code,
      );
      if (outcome === 'done') break;
      cuts += 1;
      expect(outcome).toBe('fenced');
      expect(existsSync(scene.location)).toBe(false);
      expect(
        await stage.query(`SELECT 1 FROM backups WHERE backup = '${scene.input.backup}'`),
      ).toEqual([]);
    }
    // before the folder, the helper, its start, and the rename that makes it count
    expect(cuts).toBeGreaterThanOrEqual(4);
    expect(existsSync(join(scene.location, 'manifest.json'))).toBe(true);
    expect(readdirSync(join(scene.location, '..'))).toEqual([scene.input.backup]);
  });

  test('of one that was killed in mid-write is begun anew: what it left is removed, and was never listed', async () => {
    const scene = await stage.setScene();
    // as a process leaves it that was killed with its partial folder written
    const whole = await scene.snapshot();
    const partial = `${scene.location}.7.partial`;
    const bytes = readFileSync(join(scene.location, 'data.tar.zst'));
    rmSync(scene.location, { recursive: true });
    await stage.query(`DELETE FROM backups WHERE backup = '${scene.input.backup}'`);
    mkdirSync(partial);
    writeFileSync(join(partial, 'data.tar.zst'), bytes.subarray(0, 100));
    await expectRefused(scene.restore(), 'data_missing', /there is no backup/);
    const again = await scene.snapshot();
    expect(again.archiveBytes).toBeGreaterThan(100);
    expect(again.files).toBe(whole.files);
    expect(existsSync(partial)).toBe(false);
  });

  test('that does not read back from the repository as it was written is never published', async () => {
    const scene = await stage.setScene();
    const flip = (): void => {
      const archive = join(`${scene.location}.1.partial`, 'data.tar.zst');
      const bytes = readFileSync(archive);
      bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
      writeFileSync(archive, bytes);
    };
    await expectRefused(
      scene.snapshot({ token: 1, transfer: flip }),
      'data_corrupt',
      /data\.tar\.zst has sha256/,
    );
    expect(readdirSync(join(scene.location, '..'))).toEqual([]);
    const again = scene.attempt({ token: 2 });
    await stage.snapshots.take(again, { ...scene.input, consistency: 'stopped' });
    // every entry, and every content but that of the file that is one large hole
    expect(again.lines.join()).toMatch(/is as it was written; compared: \d+ entries, \d+ files/);
  });

  test('of another upgrade of the same plan stands beside it, and each is put back by its own', async () => {
    const scene = await stage.setScene();
    const first = treeDigest(scene.folder);
    await scene.snapshot();
    writeFileSync(join(scene.folder, 'plain'), 'as the second upgrade finds it');
    const second = treeDigest(scene.folder);
    const upgrade = systemIds.next('upg');
    await scene.snapshot({ upgrade });
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(first);
    await scene.restore({ upgrade });
    expect(treeDigest(scene.folder)).toBe(second);
  });

  test('of what runs, published by an attempt that was lost, is taken anew: it has written on since', async () => {
    const scene = await stage.setScene();
    await stage.docker.getContainer(scene.containerId).start();
    const lost = await scene.snapshotRunning();
    writeFileSync(join(scene.folder, 'plain'), 'written while the upgrade was paused');
    const digest = treeDigest(scene.folder);
    // whatever moment the next ones are lost at, too
    let cuts = 0;
    for (let at = 1; at <= 20; at += 1) {
      const outcome = await scene.snapshotRunning(crashAt(at)).then(
        () => 'done',
        (error: unknown) => LiftlockError.from(error).code,
      );
      if (outcome === 'done') break;
      expect(outcome).toBe('fenced');
      // fenced off at its first question it has thrown nothing away
      if (at === 1) expect(existsSync(join(scene.location, 'manifest.json'))).toBe(true);
      cuts += 1;
    }
    expect(cuts).toBeGreaterThanOrEqual(4);
    const rows = await stage.query<{ archive_sha256: string }>(
      `SELECT archive_sha256 FROM backups WHERE backup = '${scene.input.backup}'`,
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.archive_sha256).not.toBe(lost.archiveSha256);
    const context = scene.attempt();
    await stage.snapshots.take(context, { ...scene.input, consistency: 'running' });
    expect(context.lines.join()).toContain('discarded, and taken anew');
    expect(readdirSync(join(scene.location, '..'))).toEqual([scene.input.backup]);
    await stage.docker.getContainer(scene.containerId).stop({ t: 1 });
    damage(scene.folder);
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
  });

  test('of what runs is left alone by an attempt that stood still while it was taken', async () => {
    const scene = await stage.setScene();
    await stage.docker.getContainer(scene.containerId).start();
    const lost = await scene.snapshotRunning();
    const taken: string[] = [];
    const late = scene.snapshotRunning({
      guard: async () => {
        if (taken.length > 0) return;
        writeFileSync(join(scene.folder, 'plain'), 'written since');
        taken.push((await scene.snapshotRunning()).archiveSha256);
      },
    });
    await expect(late).rejects.toMatchObject({ code: 'fenced' });
    expect(taken[0]).not.toBe(lost.archiveSha256);
    const rows = await stage.query<{ archive_sha256: string }>(
      `SELECT archive_sha256 FROM backups WHERE backup = '${scene.input.backup}'`,
    );
    expect(rows).toEqual([{ archive_sha256: taken[0] }]);
    const manifest = JSON.parse(readFileSync(join(scene.location, 'manifest.json'), 'utf8')) as {
      archive: { sha256: string };
    };
    expect(manifest.archive.sha256).toBe(taken[0]);
  });

  test('of what runs is recorded in place of a lost one that was recorded again meanwhile', async () => {
    const scene = await stage.setScene();
    const { backup } = scene.input;
    await scene.snapshotRunning();
    const before = await stage.query<{ archive_sha256: string }>(
      `SELECT archive_sha256 FROM backups WHERE backup = '${backup}'`,
    );
    writeFileSync(join(scene.folder, 'plain'), 'written on');
    await stage.query(`CREATE TABLE walked AS SELECT * FROM backups WHERE backup = '${backup}'`);
    let asked = 0;
    const walk = async (): Promise<void> => {
      asked += 1;
      if (asked === 2) await stage.query(`INSERT INTO backups SELECT * FROM walked`);
    };
    const made = await scene.snapshotRunning({ guard: walk });
    await stage.query(`DROP TABLE walked`);
    const rows = await stage.query<{ archive_sha256: string }>(
      `SELECT archive_sha256 FROM backups WHERE backup = '${backup}'`,
    );
    expect(rows).toEqual([{ archive_sha256: made.archiveSha256 }]);
    expect(rows).not.toEqual(before);
    damage(scene.folder);
    await scene.restore();
    expect(readFileSync(join(scene.folder, 'plain'), 'utf8')).toBe('written on');
  });

  test('two attempts at once are one backup', async () => {
    const scene = await stage.setScene();
    const outcomes = await Promise.allSettled([scene.snapshot(), scene.snapshot()]);
    // each may have been in the other's way: as the saga does then, it is tried again
    if (outcomes.every(({ status }) => status === 'rejected')) await scene.snapshot();
    await scene.restore();
    expect(readdirSync(join(scene.location, '..'))).toEqual([scene.input.backup]);
  });
});
