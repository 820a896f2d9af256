import { generateIdentity, identityToRecipient } from 'age-encryption';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { SecretStore, type StepContext, type TransferState } from '#drivers/core';
import { FolderData } from '#drivers/data';
import { LiftlockError } from '#kernel';
import { damage, newFolder, treeDigest } from '../../../test/support/data-tree.js';
import { readData } from '../src/data-reader.js';
import { BackupAttempt, type BackupKey } from '../src/repository/backup-folder.js';
import { Encryption } from '../src/repository/encryption.js';
import { FolderStore } from '../src/repository/folder-store.js';
import { OpenArchive } from '../src/repository/open-archive.js';
import { Repository } from '../src/repository/repository.js';
import { SnapshotArchive } from '../src/snapshot-archive.js';
import { BackupStage, expectRefused } from './support/backup-stage.js';
import { shareScene, type ShareScene } from './support/share-scene.js';
import { someManifest } from './support/some-manifest.js';

const MIB = 1024 * 1024;
const never = new AbortController().signal;
/** As much as is needed. */
const ROOM = {
  ...{ dataBytes: 0, archiveBytes: 0, passingBytes: 0 },
  ...{ written: () => undefined, release: () => undefined },
};
const KEY = 'env:LIFTLOCK_SECRET_BACKUP_KEY';

let stage: BackupStage;
const folders: string[] = [];
const mounted: string[] = [];
beforeAll(async () => {
  stage = await BackupStage.open('dkopen');
});
afterEach(() => {
  vi.restoreAllMocks();
  unmount();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
afterAll(() => stage?.close());

/** With files that do not get smaller by packing. */
async function setScene(on: BackupStage = stage): Promise<ShareScene & { digest: () => string }> {
  const top = newFolder();
  folders.push(top);
  const scene = shareScene(on, top);
  await scene.plant();
  for (const name of ['one', 'two'])
    writeFileSync(join(scene.folder, 'kbs', name), randomBytes(12 * MIB));
  return { ...scene, digest: () => treeDigest(join(scene.folder, 'kbs')) };
}

function unmount(): void {
  for (const at of mounted.splice(0)) execFileSync('umount', ['--lazy', at]);
}

function pick({ environment, application, upgrade }: StepContext) {
  return { environment, application, upgrade };
}

function setOf(context: StepContext): string {
  return join(stage.root, ...Object.values(pick(context)));
}

/** What lies in the repository of a set of backups. */
function lying({ attempt }: ShareScene): string[] {
  return readdirSync(setOf(attempt()));
}

function partialOf(scene: ShareScene): string {
  const [partial = ''] = lying(scene).filter((name) => name.endsWith('.partial'));
  return join(setOf(scene.attempt()), partial, 'data.tar.zst');
}

function flipBit(path: string, at: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte.writeUInt8(byte.readUInt8(0) ^ 1);
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}

/** Through whose hands no archive may go. */
function streams() {
  return [
    vi.spyOn(FolderData.prototype, 'read'),
    vi.spyOn(FolderData.prototype, 'readMeasured'),
    vi.spyOn(FolderData.prototype, 'write'),
    // a second reading
    vi.spyOn(BackupAttempt.prototype, 'pieces'),
  ];
}

describe('the archive of a folder', () => {
  test('is written and read by its own tools, and by us only where it lies, once, as it grows', async () => {
    const seen = streams();
    const scene = await setScene();
    const before = scene.digest();
    const moved: TransferState[] = [];
    const transfer = (state: TransferState): void => void moved.push(state);
    const context = scene.attempt({ transfer });
    const made = await stage.snapshots.take(context, { ...scene.input, consistency: 'stopped' });
    const archive = readFileSync(join(made.location, 'data.tar.zst'));
    const { archiveBytes } = made;
    expect(made).toMatchObject({
      archiveBytes: archive.length,
      archiveSha256: `sha256:${createHash('sha256').update(archive).digest('hex')}`,
    });
    expect(archiveBytes).toBeGreaterThan(24 * MIB);
    expect(statSync(join(made.location, 'data.tar.zst')).mode & 0o777).toBe(0o600);
    expect(context.lines.join()).toMatch(/is as it was written; compared: \d+ entries, \d+ files/);
    expect(moved.length).toBeGreaterThan(10);
    expect(moved.at(-1)).toMatchObject({ part: 'snapshot', doneBytes: archiveBytes });
    damage(join(scene.folder, 'kbs'));
    await scene.restore({}, { transfer });
    expect(scene.digest()).toBe(before);
    expect(['read', 'restore'].map((part) => moved.findLast((one) => one.part === part))).toEqual([
      { part: 'read', doneBytes: archiveBytes, totalBytes: archiveBytes },
      { part: 'restore', doneBytes: archiveBytes, totalBytes: archiveBytes },
    ]);
    for (const spy of seen) expect(spy).not.toHaveBeenCalled();
  });

  test('of what goes on, and one that is encrypted, pass through the service, and come back', async () => {
    const running = await setScene();
    const whole = running.digest();
    const into = vi.spyOn(FolderData.prototype, 'readMeasuredInto');
    await running.snapshot('running');
    damage(join(running.folder, 'kbs'));
    await running.restore();
    expect(running.digest()).toBe(whole);
    const identity = await generateIdentity();
    const recipients = [await identityToRecipient(identity)];
    const secrets = new SecretStore({ variables: { LIFTLOCK_SECRET_BACKUP_KEY: identity } });
    const sealing = await BackupStage.open(
      'dkopensealed',
      (root) =>
        new Repository(new FolderStore(root), new Encryption({ recipients, keys: [KEY] }, secrets)),
    );
    try {
      const from = vi.spyOn(FolderData.prototype, 'writeFrom');
      const sealed = await setScene(sealing);
      const before = sealed.digest();
      const { location } = await sealed.snapshot();
      expect(readdirSync(location)).toContain('data.tar.zst.age');
      damage(join(sealed.folder, 'kbs'));
      await sealed.restore();
      expect(sealed.digest()).toBe(before);
      expect(from).not.toHaveBeenCalled();
    } finally {
      await sealing.close();
    }
    expect(into).not.toHaveBeenCalled();
  });

  test('in which a bit is flipped before it is read back is never published', async () => {
    const scene = await setScene();
    let isFlipped = false;
    const flip = ({ doneBytes }: TransferState): void => {
      if (isFlipped) return;
      isFlipped = true;
      const partial = partialOf(scene);
      // nothing of us goes on meanwhile: the file grows all the same
      const until = performance.now() + 30_000;
      while (statSync(partial).size < doneBytes + 4 * MIB && performance.now() < until);
      flipBit(partial, doneBytes + 3 * MIB);
    };
    const attempt = scene.snapshot('stopped', { transfer: flip });
    await expectRefused(attempt, 'data_corrupt', /the archive/);
    expect(isFlipped).toBe(true);
    expect(lying(scene)).toEqual([]);
    await scene.snapshot();
    expect(lying(scene)).toEqual(['one']);
  });

  test('whose attempt is ended leaves nothing; the next attempt makes it', async () => {
    const scene = await setScene();
    const abort = new AbortController();
    const reason = new LiftlockError('fenced', 'a later attempt has taken over');
    const ends = { signal: abort.signal, transfer: () => abort.abort(reason) };
    await expect(scene.snapshot('stopped', ends)).rejects.toBe(reason);
    expect(lying(scene)).toEqual([]);
    await scene.snapshot();
    expect(lying(scene)).toEqual(['one']);
  });
});

describe('a file that another one writes', () => {
  let path: string;
  let archive: OpenArchive;
  beforeEach(async () => {
    const folder = newFolder();
    folders.push(folder);
    path = join(folder, 'archive');
    archive = await OpenArchive.make(path);
  });
  afterEach(() => archive.close());

  const read = async (ended: Promise<void>, onPiece?: (text: string) => unknown): Promise<void> => {
    const pieces = archive.pieces(ended, never, () => undefined);
    for await (const piece of pieces) await onPiece?.(piece.toString());
  };

  test('is read as far as it is written, and to its end once nobody writes to it', async () => {
    const ended = Promise.withResolvers<void>();
    const all: string[] = [];
    const reading = read(ended.promise, async (text) => {
      all.push(text);
      if (text === 'one') await archive.file.write('two');
      else ended.resolve();
    });
    // what no position is behind yet may be half written
    await archive.file.write('???', 3);
    await archive.file.write('one');
    await reading;
    expect(all).toEqual(['one', 'two']);
    const sha256 = createHash('sha256').update('onetwo').digest('hex');
    expect(await archive.filled()).toEqual({ bytes: 6, sha256: `sha256:${sha256}` });
  });

  test('does not count when it is longer, or shorter, than what was written, or its writer failed', async () => {
    await archive.file.write('whole');
    const failed = new LiftlockError('data_changed', 'a file shrank');
    await expect(read(Promise.reject(failed))).rejects.toBe(failed);
    truncateSync(path, 2);
    await expectRefused(read(Promise.resolve()), 'data_corrupt', /is not as long as/);
    writeFileSync(path, 'whole and more');
    const again = await OpenArchive.make(`${path}.other`);
    await again.file.write('whole');
    for await (const _piece of again.pieces(Promise.resolve(), never, () => undefined));
    writeFileSync(`${path}.other`, 'whole and more');
    await expectRefused(again.filled(), 'data_corrupt', /has 14 bytes, and 5 were written/);
    await again.close();
  });

  test('is waited for no longer than the attempt goes on', async () => {
    const abort = new AbortController();
    const reason = new LiftlockError('fenced', 'a later attempt has taken over');
    const pieces = archive.pieces(
      new Promise<void>(() => undefined),
      abort.signal,
      () => undefined,
    );
    const reading = buffer(pieces);
    abort.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });
});

describe('a disk of the repository', () => {
  test('that is full at any of its pages is told as full, takes nothing that counts, and takes all with one more', async () => {
    const top = newFolder();
    folders.push(top);
    const scene = shareScene(stage, top);
    await scene.plant();
    writeFileSync(join(scene.folder, 'kbs/noise'), randomBytes(32 * 1024));
    const root = join(top, 'repository');
    mkdirSync(root);
    const repository = new Repository(new FolderStore(root));
    const listed = async (): Promise<BackupKey[]> => {
      const found: BackupKey[] = [];
      for await (const one of repository.store.scan()) found.push(one);
      return found;
    };
    const take = async (): Promise<void> => {
      const context = scene.attempt();
      const key = { ...pick(context), backup: 'one' };
      const attempt = await repository.folder(key).begin(context.token);
      try {
        const read = await readData(
          ...([
            new FolderData([top]),
            context,
            { ...scene.input, consistency: 'stopped' },
          ] as const),
          async (space) => ({ ...ROOM, space }),
          new SnapshotArchive(context, attempt, 'tar.zst'),
        );
        const manifest = someManifest(key, read.archive, context.token);
        await attempt.commit(manifest, () => Promise.resolve());
      } finally {
        await attempt.discard();
      }
    };
    let refused = 0;
    for (let pages = 1; ; pages += 1) {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${pages * 4}k`, 'tmpfs', root]);
      mounted.push(root);
      const error = await take().then(
        () => undefined,
        (thrown: unknown) => LiftlockError.from(thrown),
      );
      if (error === undefined) break;
      expect(`${pages}: ${error.code}`).toBe(`${pages}: disk_full`);
      expect(error.message).toMatch(
        /^no space is left for .*(data\.tar\.zst|manifest\.json|one\.\d+\.partial); make room$/,
      );
      expect(await listed()).toEqual([]);
      const left = readdirSync(root, { recursive: true, encoding: 'utf8' });
      expect(left.filter((name) => /partial|data|manifest/.test(name))).toEqual([]);
      refused += 1;
      unmount();
    }
    // each page of the archive, and the manifest's
    expect(refused).toBeGreaterThanOrEqual(8);
    expect(await listed()).toHaveLength(1);
  });
});

describe('an archive that is put back', () => {
  test('is the one that was verified, whatever lies in its place by then', async () => {
    const scene = await setScene();
    const before = scene.digest();
    const { location, archiveBytes } = await scene.snapshot();
    const archive = join(location, 'data.tar.zst');
    damage(join(scene.folder, 'kbs'));
    let isGone = false;
    await scene.restore(
      {},
      {
        transfer: ({ part, doneBytes }) => {
          if (part !== 'read' || doneBytes < archiveBytes) return;
          isGone = true;
          writeFileSync(`${archive}.other`, 'no archive');
          renameSync(`${archive}.other`, archive);
        },
      },
    );
    expect(isGone).toBe(true);
    expect(scene.digest()).toBe(before);
  });

  test('with a bit flipped, shorter, or not there, is refused before anything is touched', async () => {
    const scene = await setScene();
    const { location, archiveBytes } = await scene.snapshot();
    const archive = join(location, 'data.tar.zst');
    damage(join(scene.folder, 'kbs'));
    const damaged = scene.digest();
    for (const at of [0, archiveBytes >> 1, archiveBytes - 1]) {
      flipBit(archive, at);
      await expectRefused(scene.restore(), 'data_corrupt', /data\.tar\.zst has sha256/);
      flipBit(archive, at);
    }
    const whole = readFileSync(archive);
    writeFileSync(archive, whole.subarray(0, -1));
    await expectRefused(scene.restore(), 'data_corrupt', /has \d+ bytes, and had/);
    rmSync(archive);
    await expectRefused(scene.restore(), 'data_corrupt', /data\.tar\.zst is not there/);
    expect(scene.digest()).toBe(damaged);
    writeFileSync(archive, whole);
    await scene.restore();
    expect(scene.digest()).not.toBe(damaged);
  });
});
