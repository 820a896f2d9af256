import {
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  type FileHandle,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { LiftlockError } from '#kernel';
import { fileError } from './file-errors.js';
import { codeOf, isMissing, openToRead, piecesOf, readFrom } from './local-file.js';
import { OpenArchive } from './open-archive.js';
import {
  MANIFEST,
  type Pieces,
  type StoreAttempt,
  type StoredArchive,
  type StoredFolder,
  type WriteOptions,
} from './store.js';
import { syncFolder, takeOut } from './take-out.js';

/**
 * One backup's folder: `<root>/<environment>/<application>/<upgrade>/<backup>/` with the archive and `manifest.json`. An attempt writes into
 * a folder of its own beside it, which is renamed when all of it is on the disk: a rename onto a folder that is not empty fails, so
 * there is the whole of one attempt, or nothing.
 */
export class LocalFolder implements StoredFolder {
  constructor(readonly location: string) {}

  async manifest(): Promise<Buffer | undefined> {
    const path = join(this.location, MANIFEST);
    try {
      return await readFile(path);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw fileError(error, path);
    }
  }

  read(name: string, signal: AbortSignal): Readable {
    return readFrom(join(this.location, name), signal);
  }

  pieces(name: string, signal: AbortSignal): Pieces {
    return piecesOf(join(this.location, name), signal);
  }

  open(name: string): Promise<FileHandle> {
    return openToRead(join(this.location, name));
  }

  async sizes(): Promise<ReadonlyMap<string, number> | undefined> {
    try {
      const names = await readdir(this.location);
      if (!names.includes(MANIFEST)) return undefined;
      const sizes = new Map<string, number>();
      for (const name of names) sizes.set(name, (await stat(join(this.location, name))).size);
      return sizes;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw fileError(error, this.location);
    }
  }

  async takeOut(): Promise<(() => Promise<void>) | undefined> {
    const out = await takeOut(this.location);
    return out === undefined ? undefined : () => rm(out, { recursive: true, force: true });
  }

  async begin(token: number): Promise<StoreAttempt> {
    const parent = dirname(this.location);
    const folder = `${this.location}.${token}.partial`;
    try {
      await makeLastingFolder(parent);
      await this.removePartial(parent);
      await mkdir(folder, { mode: 0o700 });
    } catch (error) {
      throw fileError(error, folder);
    }
    return new LocalAttempt(folder, this.location);
  }

  private async removePartial(parent: string): Promise<void> {
    const prefix = `${basename(this.location)}.`;
    for (const left of await readdir(parent)) {
      if (left.startsWith(prefix) && /^\d+\.partial$/.test(left.slice(prefix.length))) {
        // an attempt that stood still all the while can then not publish what is half removed
        const out = await takeOut(join(parent, left), this.location);
        if (out !== undefined) await rm(out, { recursive: true, force: true });
      }
    }
  }
}

class LocalAttempt implements StoreAttempt {
  constructor(
    private readonly folder: string,
    private readonly final: string,
  ) {}

  async write(
    file: string,
    archive: Readable,
    signal: AbortSignal,
    { onBytes }: WriteOptions = {},
  ): Promise<StoredArchive> {
    const made = await this.open(file);
    try {
      return { file, ...(await made.write(archive, signal, onBytes)) };
    } finally {
      await made.close();
    }
  }

  open(file: string): Promise<OpenArchive> {
    return OpenArchive.make(join(this.folder, file));
  }

  read(file: string, signal: AbortSignal): Readable {
    return readFrom(join(this.folder, file), signal);
  }

  pieces(file: string, signal: AbortSignal): Pieces {
    return piecesOf(join(this.folder, file), signal);
  }

  async commit(manifest: Buffer, guard: () => Promise<void>): Promise<void> {
    const path = join(this.folder, MANIFEST);
    try {
      const file = await open(path, 'wx', 0o600);
      try {
        await file.writeFile(manifest);
        await file.sync();
      } finally {
        await file.close();
      }
      await syncFolder(this.folder);
      await guard();
      await rename(this.folder, this.final);
      await syncFolder(dirname(this.final));
    } catch (error) {
      const code = codeOf(error);
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

/** With what leads to it, so that it is there after the power was lost. One by one: of a read-only disk Node's `recursive` says that nothing is there. */
async function makeLastingFolder(path: string): Promise<void> {
  const parent = dirname(path);
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    if (!isMissing(error) || path === parent) throw error;
    await makeLastingFolder(parent);
    return makeLastingFolder(path);
  }
  await syncFolder(parent);
}
