import { spawn } from 'node:child_process';
import { mkdir, open, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { Injectable } from '@nestjs/common';
import { transferMeter, type StepContext } from '#drivers/core';
import { LiftlockError, mebibytes } from '#kernel';
import { differences } from './domain/differences.js';
import type { Manifest } from './domain/manifest.js';
import { listFolder } from './list-folder.js';
import type { BackupFolder } from './repository/backup-folder.js';
import { fileError } from './repository/file-errors.js';

/** In a folder whose restore has not ended, or did not end well. */
const MARK = '.liftlock-incomplete';
/** Of what tar says, in characters. */
const KEPT = 4_000;

/** Puts a backup into an empty folder of this machine: to look into it, or to take something out of it. */
@Injectable()
export class FolderRestoreService {
  /** @throws LiftlockError `not_empty`, naming what is in it */
  async assertEmpty(folder: string): Promise<void> {
    let names: string[];
    try {
      names = await readdir(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw fileError(error, folder);
    }
    if (names.length === 0) return;
    const half = names.includes(MARK) ? ': a restore to it did not end' : '';
    throw new LiftlockError(
      'not_empty',
      `${folder} is not empty (${names.slice(0, 3).join(', ')})${half}; name an empty folder, or one that is not there yet`,
    );
  }

  /**
   * @returns what a person should know of the outcome
   * @throws LiftlockError `data_corrupt` when it is not as in the manifest: then the mark stays in it
   */
  async restore(
    context: StepContext,
    from: Pick<BackupFolder, 'readArchive'>,
    manifest: Manifest,
    folder: string,
  ): Promise<string[]> {
    const { format } = manifest.archive;
    if (format !== 'tar.zst' && format !== 'tar')
      throw new LiftlockError(
        'misconfigured',
        `an archive of the format ${format} goes to its instance only`,
      );
    const mark = join(folder, MARK);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await this.assertEmpty(folder);
      await (await open(mark, 'wx', 0o600)).close();
    } catch (error) {
      throw fileError(error, folder);
    }
    await assertRoom(folder, manifest);
    const mayGive = process.getuid?.() === 0;
    await this.extract(context, from, manifest, folder, mayGive);
    const listed = await listFolder(folder, manifest.source.paths);
    // seen where all of the folder is what is restored
    const found = listed.filter(({ path }) => path !== `/${MARK}`);
    const asFound = new Map(found.map((entry) => [entry.path, entry]));
    const wanted = manifest.entries.map((entry) => {
      const owner = asFound.get(entry.path);
      return mayGive || owner === undefined ? entry : { ...entry, uid: owner.uid, gid: owner.gid };
    });
    const wrong = differences(wanted, found);
    if (wrong.length > 0) {
      throw new LiftlockError(
        'data_corrupt',
        `what is in ${folder} is not as in the backup ${manifest.backup}: ${wrong.join('; ')}; ${mark} says so, too`,
      );
    }
    await rm(mark);
    context.log(`${manifest.files} files are in ${folder} and compared, entry by entry`);
    return mayGive
      ? []
      : ['the backup service is not root: all of it belongs to its user, and not to its owners'];
  }

  /** tar reads what is unpacked here; the archive's hash is known when all of it has passed. */
  private async extract(
    context: StepContext,
    from: Pick<BackupFolder, 'readArchive'>,
    manifest: Manifest,
    folder: string,
    mayGive: boolean,
  ): Promise<void> {
    const tar = spawn(
      'tar',
      [
        // it reads the zeros behind an archive's end, too, and does not close its input before all was sent
        ...['--extract', '--file=-', '--ignore-zeros'],
        ...['--preserve-permissions', '--numeric-owner'],
        ...[mayGive ? '--same-owner' : '--no-same-owner', '--delay-directory-restore'],
        ...['--xattrs', '--xattrs-include=*', '--acls', `--directory=${folder}`],
      ],
      {
        stdio: ['pipe', 'ignore', 'pipe'],
        env: { LC_ALL: 'C', PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      },
    );
    let said = '';
    tar.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(0, KEPT)));
    const ended = Promise.withResolvers<number | null>();
    tar.once('error', ended.reject);
    tar.once('close', ended.resolve);
    const told = transferMeter(context, 'restore', 'put back ');
    let doneBytes = 0;
    const archive = from.readArchive(manifest, context.signal, (more) => {
      doneBytes += more;
      told({ doneBytes, totalBytes: manifest.archive.bytes });
    });
    try {
      const [sent, code] = await Promise.allSettled([
        manifest.archive.format === 'tar'
          ? pipeline(archive, tar.stdin, { signal: context.signal })
          : pipeline(archive, createZstdDecompress(), tar.stdin, { signal: context.signal }),
        ended.promise,
      ]);
      if (code.status === 'rejected')
        throw new LiftlockError('misconfigured', `tar cannot be run here: ${String(code.reason)}`);
      // of a damaged archive its hash says more than tar does
      if (sent.status === 'rejected' && sent.reason instanceof LiftlockError) throw sent.reason;
      if (code.value !== 0) {
        const isFull = /No space left on device|Disk quota exceeded/.test(said);
        throw new LiftlockError(
          isFull ? 'disk_full' : 'data_corrupt',
          `tar put back into ${folder} what it could, and ended with ${code.value}: ${said.trim()}`,
        );
      }
      if (sent.status === 'rejected') throw sent.reason;
    } finally {
      tar.kill();
    }
  }
}

async function assertRoom(folder: string, { spaceBytes, backup }: Manifest): Promise<void> {
  if (spaceBytes === undefined) return;
  const { bavail, bsize } = await statfs(folder);
  if (spaceBytes <= bavail * bsize) return;
  throw new LiftlockError(
    'disk_full',
    `the backup ${backup} does not fit into ${folder}: it needs ${mebibytes(spaceBytes)}, and ${mebibytes(bavail * bsize)} are free there`,
  );
}
