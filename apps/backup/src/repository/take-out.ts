import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileError } from './file-errors.js';

/** How the folder of a backup ends that was taken out and is being deleted. */
const REMOVED = '.removed';

/** Whether it is a folder beside the backups and none of them: of an attempt, or of one that is being deleted. */
export function isUnlisted(folder: string): boolean {
  return /\.\d+\.(partial|removed)$/.test(folder);
}

export const isRemoved = (folder: string): boolean =>
  folder.endsWith(REMOVED) && isUnlisted(folder);

/**
 * Takes a folder out of the repository at once, by a rename, so that no one reads or publishes what is half deleted.
 * @param backup the path of the backup that it is of
 * @returns where it is now, to be deleted; nothing when it was not there
 */
export async function takeOut(folder: string, backup = folder): Promise<string | undefined> {
  const out = `${backup}.${Date.now()}${REMOVED}`;
  try {
    await rename(folder, out);
    await syncFolder(dirname(out));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileError(error, folder);
  }
  return out;
}

/** A rename lasts once the folder it happened in is on the disk. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
