import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { TransferState } from '#drivers/core';
import { ScriptedDataDriver } from '#drivers/data';
import { LiftlockError } from '#kernel';
import { damage, plantTree, treeDigest, treeLines } from '../../../test/support/data-tree.js';
import { startSecondIsOver } from '../../../test/support/start-second.js';
import { crashAt } from '../../../test/support/step-context.js';
import { BackupStage, expectRefused } from './support/backup-stage.js';

let stage: BackupStage;
beforeAll(async () => {
  stage = await BackupStage.open('dkrest');
});
afterEach(() => stage.clear());
afterAll(() => stage?.close());

describe('a restore', () => {
  test('brings back exactly what was there, and removes what came later', async () => {
    const scene = await stage.setScene();
    const before = { digest: treeDigest(scene.folder), lines: treeLines(scene.folder) };
    const { archiveBytes } = await scene.snapshot();
    damage(scene.folder);
    const moved: TransferState[] = [];
    const context = scene.attempt({ transfer: (state) => void moved.push(state) });
    const list = vi.spyOn(ScriptedDataDriver.prototype, 'list');
    await stage.restores.restore(context, scene.input);
    // that it was touched is seen without its contents: only the outcome is hashed
    expect(list).toHaveBeenCalledOnce();
    list.mockRestore();
    expect(treeLines(scene.folder)).toEqual(before.lines);
    expect(treeDigest(scene.folder)).toBe(before.digest);
    expect(context.lines.join()).toContain('compared, entry by entry');
    // whoever watches sees both parts to their ends
    expect(['read', 'restore'].map((part) => moved.findLast((one) => one.part === part))).toEqual([
      { part: 'read', doneBytes: archiveBytes, totalBytes: archiveBytes },
      { part: 'restore', doneBytes: archiveBytes, totalBytes: archiveBytes },
    ]);
    damage(scene.folder);
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(before.digest);
  });

  test('leaves data alone that nobody touched, and sees a change that no list shows', async () => {
    const scene = await stage.setScene();
    const digest = treeDigest(scene.folder);
    await scene.snapshot();
    const untouched = scene.attempt();
    const { ctimeMs } = statSync(join(scene.folder, 'plain'));
    await stage.restores.restore(untouched, scene.input);
    expect(untouched.lines.join()).toContain('nothing is written');
    expect(statSync(join(scene.folder, 'plain')).ctimeMs).toBe(ctimeMs);
    // a change of owner to the same one takes a file's capability away, and nothing else
    chownSync(join(scene.folder, 'capable'), 0, 0);
    expect(treeDigest(scene.folder)).not.toBe(digest);
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
  });

  test('of what ran keeps what the old version wrote after the backup, unless a new one was started on it', async () => {
    const scene = await stage.setScene();
    const old = stage.docker.getContainer(scene.containerId);
    await old.start();
    const digest = treeDigest(scene.folder);
    await scene.snapshotRunning();
    writeFileSync(join(scene.folder, 'plain'), 'the last words of the old version');
    const last = treeDigest(scene.folder);
    const { instances } = await stage.driver();
    const { Image: id } = await old.inspect();
    const replace = (command?: string[]): Promise<unknown> =>
      instances.replace(scene.attempt(), {
        ...{ ...scene.input, image: { reference: stage.image, id }, env: {} },
        ...(command === undefined ? {} : { command }),
      });
    const nothingIsRestored = async (): Promise<void> => {
      await instances.stopNew(scene.attempt(), scene.input);
      const context = scene.attempt();
      const back = await stage.restores.restore(context, scene.input);
      expect(back).toMatchObject({ backup: scene.input.backup, location: scene.location });
      expect(context.lines.join()).toContain('nothing is restored');
      expect(treeDigest(scene.folder)).toBe(last);
    };
    await startSecondIsOver(old);
    await instances.stop(scene.attempt(), scene.input);
    // it was not even made
    const image = { reference: 'none:1.0', id: `sha256:${'0'.repeat(64)}` };
    await expectRefused(
      instances.replace(scene.attempt(), { ...scene.input, image, env: {} }),
      'image_missing',
    );
    await nothingIsRestored();
    // it was made, and its start refused
    await expectRefused(replace(['/nowhere/to/be/found']), 'target_refused');
    await nothingIsRestored();
    // a person who asks for the backup gets it
    await stage.restores.restore(scene.attempt(), scene.input, 'exactly');
    expect(treeDigest(scene.folder)).toBe(digest);
    writeFileSync(join(scene.folder, 'plain'), 'what the new version finds');
    await replace();
    await instances.stopNew(scene.attempt(), scene.input);
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
  });

  test('is refused while anything that mounts the data runs, and touches nothing', async () => {
    const scene = await stage.setScene();
    await scene.snapshot();
    damage(scene.folder);
    const damaged = treeDigest(scene.folder);
    const other = await stage.startOther(`${scene.folder}/setgid:/part:ro`);
    await expectRefused(scene.restore(), 'data_in_use', /dkrest-other/);
    await other.pause();
    await expectRefused(scene.restore(), 'data_in_use', /dkrest-other/);
    await other.unpause();
    await other.stop({ t: 1 });
    await stage.docker.getContainer(scene.containerId).start();
    await expectRefused(scene.restore(), 'data_in_use', new RegExp(scene.input.container));
    expect(treeDigest(scene.folder)).toBe(damaged);
    await stage.docker.getContainer(scene.containerId).stop({ t: 1 });
    await scene.restore();
  });

  test('one flipped bit, a cut archive, a changed manifest: refused before anything is touched', async () => {
    const scene = await stage.setScene();
    await scene.snapshot();
    damage(scene.folder);
    const damaged = treeDigest(scene.folder);
    const archive = join(scene.location, 'data.tar.zst');
    const manifest = join(scene.location, 'manifest.json');
    const whole = { archive: readFileSync(archive), manifest: readFileSync(manifest) };
    const flipped = (bytes: Buffer, at: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
      return copy;
    };
    const { length } = whole.archive;
    for (const at of [0, length >> 1, length - 1]) {
      writeFileSync(archive, flipped(whole.archive, at));
      await expectRefused(scene.restore(), 'data_corrupt', /data\.tar\.zst/);
    }
    truncateSync(archive, length - 10);
    await expectRefused(scene.restore(), 'data_corrupt', /bytes/);
    rmSync(archive);
    await expectRefused(scene.restore(), 'data_corrupt', /is not there/);
    writeFileSync(archive, whole.archive);
    for (const at of [1, whole.manifest.length >> 1, whole.manifest.length - 1]) {
      writeFileSync(manifest, flipped(whole.manifest, at));
      await expectRefused(scene.restore(), 'data_corrupt', /manifest\.json/);
    }
    // what still reads well, but is not what was written
    const other = whole.manifest.toString('utf8').replace('"mode":"0600"', '"mode":"0644"');
    expect(other).not.toBe(whole.manifest.toString('utf8'));
    writeFileSync(manifest, other);
    await expectRefused(scene.restore(), 'data_corrupt', /manifest\.json is not what its digest/);
    expect(treeDigest(scene.folder)).toBe(damaged);
    writeFileSync(manifest, whole.manifest);
    await scene.restore();
    expect(treeDigest(scene.folder)).not.toBe(damaged);
  });

  test('of a backup that is not there, or of other paths, touches nothing', async () => {
    const scene = await stage.setScene();
    await expectRefused(scene.restore(), 'data_missing', /there is no backup/);
    await scene.snapshot();
    const other = { ...scene.input, paths: ['/data/setgid'] };
    await expectRefused(
      stage.restores.restore(scene.attempt(), other),
      'invalid_step',
      /nothing was/,
    );
  });

  test('cut off at any question of the guard is taken up by the next attempt', async () => {
    const scene = await stage.setScene();
    const digest = treeDigest(scene.folder);
    await scene.snapshot();
    damage(scene.folder);
    let cuts = 0;
    for (let at = 1; at <= 20; at += 1) {
      const outcome = await scene.restore(crashAt(at)).then(
        () => 'done',
        (error: unknown) => LiftlockError.from(error).code,
      );
      if (outcome === 'done') break;
      expect(outcome).toBe('fenced');
      cuts += 1;
    }
    expect(cuts).toBeGreaterThanOrEqual(5);
    expect(treeDigest(scene.folder)).toBe(digest);
  });

  test('cut off while it writes: no snapshot is taken of half of it, and the next attempt puts back the rest', async () => {
    const scene = await stage.setScene(async (folder) => {
      await plantTree(folder);
      writeFileSync(join(folder, 'noise'), noise(24 * 1024 * 1024));
    });
    const digest = treeDigest(scene.folder);
    await scene.snapshot();
    damage(scene.folder);
    chmodSync(join(scene.folder, 'noise'), 0o600);
    const abort = new AbortController();
    const cut = new LiftlockError('fenced', 'the attempt is cut off here');
    // when the first new file is there, the helper is in the middle of its work
    const watch = setInterval(() => {
      if (!existsSync(join(scene.folder, 'new link'))) abort.abort(cut);
    }, 1);
    await expectRefused(scene.restore({ signal: abort.signal }), 'fenced');
    clearInterval(watch);
    expect(treeDigest(scene.folder)).not.toBe(digest);
    const { backup } = scene.input;
    const aside = join(scene.folder, `.liftlock-aside-${scene.attempt().upgrade}-${backup}`);
    expect(readFileSync(join(aside, 'data/plain'), 'utf8')).toBe('PLAIN\n');
    const another = { ...scene.input, backup: 'another', consistency: 'stopped' } as const;
    await expectRefused(
      stage.snapshots.take(scene.attempt(), another),
      'data_corrupt',
      /half restored/,
    );
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
    await stage.snapshots.take(scene.attempt(), another);
  });

  test('cut off when all was back but what it kept: the next attempt needs no archive, and removes that', async () => {
    const scene = await stage.setScene();
    const digest = treeDigest(scene.folder);
    await scene.snapshot();
    damage(scene.folder);
    await scene.restore();
    const { backup } = scene.input;
    const gone = join(scene.folder, `.liftlock-aside-${scene.attempt().upgrade}-${backup}.gone`);
    const times = join(stage.root, 'times');
    execFileSync('touch', ['-r', scene.folder, times]);
    mkdirSync(join(gone, 'data'), { recursive: true });
    execFileSync('touch', ['-r', times, scene.folder]);
    rmSync(times);
    await stage.query(`UPDATE backups SET incomplete_since = now() WHERE backup = '${backup}'`);
    renameSync(join(scene.location, 'data.tar.zst'), join(scene.location, 'elsewhere'));
    const context = scene.attempt();
    await stage.restores.restore(context, scene.input);
    expect(context.lines.join()).toContain('as in the backup already');
    expect(existsSync(gone)).toBe(false);
    expect(treeDigest(scene.folder)).toBe(digest);
    expect(await stage.query(`SELECT FROM backups WHERE incomplete_since IS NOT NULL`)).toEqual([]);
  });

  test('whose helper is killed in the middle is no success, and is taken up again', async () => {
    const scene = await stage.setScene(async (folder) => {
      await plantTree(folder);
      writeFileSync(join(folder, 'noise'), noise(24 * 1024 * 1024));
    });
    const digest = treeDigest(scene.folder);
    await scene.snapshot();
    damage(scene.folder);
    let killed = false;
    const watch = setInterval(() => {
      if (killed || existsSync(join(scene.folder, 'new link'))) return;
      killed = killHelper(scene.folder);
    }, 1);
    const outcome = await scene.restore().then(
      () => 'done',
      (error: unknown) => LiftlockError.from(error).code,
    );
    clearInterval(watch);
    expect(killed).toBe(true);
    expect(outcome).toBe('target_unreachable');
    await scene.restore();
    expect(treeDigest(scene.folder)).toBe(digest);
  });
});

/** SIGKILL to the first process of a helper that works on the folder: by the time that the engine had been asked for it, it might be done. */
function killHelper(folder: string): boolean {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  for (const pid of pids.toSorted((a, b) => a - b)) {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/.liftlock/bin/sh')) continue;
      if (!readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(folder)) continue;
      process.kill(pid, 'SIGKILL');
      return true;
    } catch {
      // it has ended meanwhile
    }
  }
  return false;
}

/** Bytes that do not compress. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let i = 0; i + 4 <= length; i += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, i);
  }
  return bytes;
}
