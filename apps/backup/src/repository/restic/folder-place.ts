import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileError } from '../file-errors.js';
import type { ResticPlace } from './restic-place.js';

/** restic's repository in a folder of this machine. */
export class FolderPlace implements ResticPlace {
  /** It is read as fast as what would be kept of it. */
  readonly options = ['--no-cache'];

  constructor(readonly repository: string) {}

  environment(): Promise<Readonly<Record<string, string>>> {
    return Promise.resolve({});
  }

  async names(folder: string): Promise<string[]> {
    return (await ifThere(join(this.repository, folder), (path) => readdir(path))) ?? [];
  }

  read(file: string): Promise<Buffer | undefined> {
    return ifThere(join(this.repository, file), (path) => readFile(path));
  }
}

async function ifThere<T>(
  path: string,
  look: (path: string) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await look(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw fileError(error, path);
  }
}
