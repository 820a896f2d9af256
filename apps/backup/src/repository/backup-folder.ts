import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LiftlockError } from '#kernel';
import { manifestText, parseManifest, type Manifest } from '../domain/manifest.js';
import { writeArchive, type WrittenArchive } from './archive-writer.js';
import { fileError } from './file-errors.js';
import { isUnlisted, syncFolder, takeOut } from './take-out.js';

const MANIFEST = 'manifest.json';
/** A backup's name is the plan's, and plans look alike: the upgrade it was made for is part of what tells it from others. */
export interface BackupKey {
  readonly environment: string;
  readonly application: string;
  readonly upgrade: string;
  readonly backup: string;
}

/**
 * One backup's folder: `<root>/<environment>/<application>/<upgrade>/<backup>/` with the archive and `manifest.json`. An attempt writes into
 * a folder of its own beside it, which is renamed when all of it is on the disk: a rename onto a folder that is not empty fails, so
 * there is the whole of one attempt, or nothing.
 */
export class BackupFolder {
  readonly path: string;

  constructor(
    root: string,
    private readonly name: BackupKey,
  ) {
    // the contract's pattern lets these through
    if (name.backup === '.' || name.backup === '..' || isUnlisted(name.backup)) {
      throw new LiftlockError('invalid_step', `${name.backup} is no name for a backup`);
    }
    this.path = join(root, name.environment, name.application, name.upgrade, name.backup);
  }

  /** @throws LiftlockError `data_corrupt`, naming the file, when there is a manifest that is not as it was written. */
  async manifest(): Promise<Manifest | undefined> {
    const path = join(this.path, MANIFEST);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw fileError(error, path);
    }
    const parsed = parseManifest(text);
    if ('problem' in parsed) throw corrupt(path, parsed.problem);
    const { environment, application, upgrade, backup } = parsed.manifest;
    const { name } = this;
    if (
      environment !== name.environment ||
      application !== name.application ||
      upgrade !== name.upgrade ||
      backup !== name.backup
    ) {
      throw corrupt(path, `is of the backup ${environment}/${application}/${upgrade}/${backup}`);
    }
    return parsed.manifest;
  }

  /** Reads all of the archive. @throws LiftlockError `data_corrupt`, naming the file. */
  async verifyArchive(
    manifest: Manifest,
    signal: AbortSignal,
    onBytes?: (bytes: number) => void,
  ): Promise<void> {
    for await (const _chunk of this.readArchive(manifest, signal, onBytes)) {
      // what counts is how it ends
    }
  }

  /**
   * The archive; its stream ends with an error, `data_corrupt`, unless it was what the manifest says.
   * @param onBytes told how many more were read
   */
  readArchive(
    manifest: Manifest,
    signal: AbortSignal,
    onBytes: (bytes: number) => void = () => undefined,
  ): Readable {
    const { archive } = manifest;
    const path = join(this.path, archive.file);
    const hash = createHash('sha256');
    let bytes = 0;
    const out = new PassThrough({
      highWaterMark: 1024 * 1024,
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        bytes += chunk.length;
        onBytes(chunk.length);
        done(undefined, chunk);
      },
      flush(done) {
        const sha256 = `sha256:${hash.digest('hex')}`;
        if (bytes !== archive.bytes) {
          done(corrupt(path, `has ${bytes} bytes, and had ${archive.bytes} when it was written`));
        } else if (sha256 !== archive.sha256) {
          done(corrupt(path, `has ${sha256}, and had ${archive.sha256} when it was written`));
        } else done();
      },
    });
    const file = createReadStream(path, { highWaterMark: 1024 * 1024 });
    file.once('error', (error: NodeJS.ErrnoException) =>
      out.destroy(error.code === 'ENOENT' ? corrupt(path, 'is not there') : fileError(error, path)),
    );
    // the reader sees how it ends
    pipeline(file, out, { signal }).catch(() => undefined);
    return out;
  }

  /** What a look at names and sizes tells; contents are not read. `damaged`: the archive is gone, or not as long as it was. */
  async look(archiveBytes: number): Promise<'there' | 'damaged' | 'missing'> {
    try {
      const names = await readdir(this.path);
      if (!names.includes(MANIFEST)) return 'missing';
      const archive = names.find((file) => file.startsWith('data.'));
      if (archive === undefined) return 'damaged';
      return (await stat(join(this.path, archive))).size === archiveBytes ? 'there' : 'damaged';
    } catch (error) {
      if (isMissing(error)) return 'missing';
      throw fileError(error, this.path);
    }
  }

  /**
   * Takes it out of the repository at once, by a rename.
   * @returns what deletes its files; nothing when it was not there
   */
  async takeOut(): Promise<(() => Promise<void>) | undefined> {
    const out = await takeOut(this.path);
    return out === undefined ? undefined : () => rm(out, { recursive: true, force: true });
  }

  /** A folder for one attempt; what earlier ones left is removed. */
  async begin(token: number): Promise<BackupAttempt> {
    const parent = dirname(this.path);
    const folder = `${this.path}.${token}.partial`;
    try {
      await makeLastingFolder(parent);
      await this.removePartial(parent);
      await mkdir(folder, { mode: 0o700 });
    } catch (error) {
      throw fileError(error, folder);
    }
    return new BackupAttempt(folder, this.path);
  }

  private async removePartial(parent: string): Promise<void> {
    const prefix = `${this.name.backup}.`;
    for (const left of await readdir(parent)) {
      if (left.startsWith(prefix) && /^\d+\.partial$/.test(left.slice(prefix.length))) {
        await rm(join(parent, left), { recursive: true, force: true });
      }
    }
  }
}

export class BackupAttempt {
  constructor(
    private readonly folder: string,
    private readonly final: string,
  ) {}

  async writeArchive(
    file: string,
    archive: Readable,
    signal: AbortSignal,
    onBytes?: (bytes: number) => void,
  ): Promise<WrittenArchive> {
    try {
      return await writeArchive(join(this.folder, file), archive, signal, onBytes);
    } catch (error) {
      throw fileError(error, join(this.folder, file));
    }
  }

  /** Makes all of it appear at once. @throws LiftlockError `not_empty` when another attempt was faster. */
  async commit(manifest: Manifest, guard: () => Promise<void>): Promise<void> {
    const path = join(this.folder, MANIFEST);
    try {
      const file = await open(path, 'wx', 0o600);
      try {
        await file.writeFile(manifestText(manifest));
        await file.sync();
      } finally {
        await file.close();
      }
      await syncFolder(this.folder);
      await guard();
      await rename(this.folder, this.final);
      await syncFolder(dirname(this.final));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ENOTEMPTY' || code === 'EEXIST') {
        throw new LiftlockError('not_empty', `there is a backup ${this.final} already`, {
          cause: error,
        });
      }
      throw fileError(error, path);
    }
  }

  async discard(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

function corrupt(path: string, problem: string): LiftlockError {
  return new LiftlockError(
    'data_corrupt',
    `${path} ${problem}; nothing was restored from it: look for another copy of this backup`,
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** With what leads to it, so that it is there after the power was lost. */
async function makeLastingFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (
    let folder = dirname(path);
    folder.length >= dirname(first).length;
    folder = dirname(folder)
  ) {
    await syncFolder(folder);
    if (folder === dirname(folder)) break;
  }
}
