import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemIds } from '#kernel';
import { treeDigest } from '../../../test/support/data-tree.js';
import { BackupStage, expectRefused } from './support/backup-stage.js';

const MIB = 1024 * 1024;
const noise = (name: string, mib: number) => (folder: string) =>
  writeFileSync(join(folder, name), randomBytes(mib * MIB));

let stage: BackupStage;
const mounted: string[] = [];
beforeAll(async () => {
  stage = await BackupStage.open('dkroom');
});
afterEach(async () => {
  for (const folder of mounted.splice(0)) execFileSync('umount', ['--lazy', folder]);
  await stage.clear();
});
afterAll(() => stage?.close());

/** A disk of that size in the folder's place. */
function mount(folder: string, mib: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', folder]);
  mounted.push(folder);
}

describe('room', () => {
  test('a repository without the room that an archive may need refuses before anything is written, and says how much it has', async () => {
    const scene = await stage.setScene(noise('large', 8));
    mount(stage.root, 4);
    await expectRefused(
      scene.snapshot(),
      'disk_full',
      /may need 8\.\d MiB, and the backup repository .* has [34]\.\d MiB free; make room .*LIFTLOCK_BACKUP_RATIO/,
    );
    expect(readdirSync(stage.root, { recursive: true, encoding: 'utf8' }).join()).not.toMatch(
      /data\.|manifest/,
    );
  });

  test('once it is known how well the data packs, less room will do', async () => {
    const scene = await stage.setScene((folder) =>
      writeFileSync(join(folder, 'packs'), Buffer.alloc(16 * MIB, 'so it packs well ')),
    );
    mount(stage.root, 32);
    await scene.snapshot();
    execFileSync('mount', ['-o', 'remount,size=8m', stage.root]);
    const again = await scene.snapshot({ upgrade: systemIds.next('upg') });
    expect(again).toMatchObject({ bytes: 16 * MIB });
    expect(again.archiveBytes).toBeLessThan(MIB);
  });

  test('a restore that surely does not fit touches nothing; with room again it goes through', async () => {
    const scene = await stage.setScene((folder) => {
      mount(folder, 32);
      noise('large', 12)(folder);
      execFileSync('truncate', ['--size', '256M', join(folder, 'holes')]);
    });
    const digest = treeDigest(scene.folder);
    await scene.snapshot();
    rmSync(join(scene.folder, 'large'));
    execFileSync('mount', ['-o', 'remount,size=4m', scene.folder]);
    const damaged = treeDigest(scene.folder);
    await expectRefused(
      scene.restore(),
      'disk_full',
      /needs 12\.\d MiB, and there are [34]\.\d MiB/,
    );
    expect(treeDigest(scene.folder)).toBe(damaged);
    execFileSync('mount', ['-o', 'remount,size=32m', scene.folder]);
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
  });

  test('where a restore could not keep what it finds no snapshot is taken, unless the document says that it need not', async () => {
    const scene = await stage.setScene((folder) => {
      mount(folder, 16);
      noise('large', 10)(folder);
    });
    await expectRefused(scene.snapshot(), 'disk_full', /takes 10\.\d MiB .*keepAside: false/);
    const digest = treeDigest(scene.folder);
    const input = { ...scene.input, keepAside: false };
    await stage.snapshots.take(scene.attempt(), { ...input, consistency: 'stopped' });
    noise('large', 10)(scene.folder);
    await stage.restores.restore(scene.attempt(), input);
    expect(treeDigest(scene.folder)).toBe(digest);
  });

  test('the manifest says origin, image, room and how it was quiesced', async () => {
    const scene = await stage.setScene(noise('one', 1));
    await scene.snapshot();
    const manifest: unknown = JSON.parse(
      readFileSync(join(scene.location, 'manifest.json'), 'utf8'),
    );
    expect(manifest).toMatchObject({
      version: 2,
      source: {
        image: { reference: stage.image, id: expect.stringMatching(/^sha256:/) as string },
        mounts: [{ destination: '/data', kind: 'bind', source: scene.folder }],
      },
      quiesced: { how: 'stopped', ran: [] },
      counts: { file: 1, directory: 1 },
    });
    expect((manifest as { spaceBytes: number }).spaceBytes).toBeGreaterThanOrEqual(MIB);
  });
});
