import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isBackup, isName, isUpgrade, type ApplicationKey, type BackupKey } from './backup-key.js';
import { fileError } from './file-errors.js';
import { isRemoved, isUnlisted, takeOut } from './take-out.js';

/**
 * Every backup's folder that there is, also of those that no record knows: `<root>/<environment>/<application>/<upgrade>/<backup>`. What
 * does not look like one is passed over.
 */
export async function* scanRepository(root: string): AsyncGenerator<BackupKey> {
  for await (const upgrade of upgradesIn(root)) {
    for (const backup of await folders(pathOf(root, upgrade), isBackup))
      yield { ...upgrade, backup };
  }
}

/**
 * Deletes what was taken out of the repository and not yet deleted when its process ended, and what attempts left that were killed.
 * @param isAtRest whether nobody is at work on an upgrade: asked after its folder was read, so that an attempt that begins now is not in it
 * @returns the attempts' folders that were deleted
 */
export async function sweepLeftovers(
  root: string,
  isAtRest: (upgrade: string) => Promise<boolean>,
): Promise<string[]> {
  const swept: string[] = [];
  for await (const upgrade of upgradesIn(root)) {
    const path = pathOf(root, upgrade);
    const remove = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });
    for (const folder of await folders(path, isRemoved)) await remove(join(path, folder));
    const partial = await folders(path, isPartial);
    if (partial.length === 0 || !(await isAtRest(upgrade.upgrade))) continue;
    for (const folder of partial) {
      const found = join(path, folder);
      // an attempt that stood still all the while can then not publish what is half removed
      const out = await takeOut(found, found.replace(/\.\d+\.partial$/, ''));
      if (out === undefined) continue;
      await remove(out);
      swept.push(found);
    }
  }
  return swept;
}

type UpgradePlace = Omit<BackupKey, 'backup'>;

async function* upgradesIn(root: string): AsyncGenerator<UpgradePlace> {
  for await (const { environment, application } of applicationsIn(root)) {
    for (const upgrade of await folders(join(root, environment, application), isUpgrade))
      yield { environment, application, upgrade };
  }
}

/** Applications that anything lies of. */
export async function* applicationsIn(root: string): AsyncGenerator<ApplicationKey> {
  for (const environment of await folders(root, isName)) {
    for (const application of await folders(join(root, environment), isName))
      yield { environment, application };
  }
}

function pathOf(root: string, { environment, application, upgrade }: UpgradePlace): string {
  return join(root, environment, application, upgrade);
}

const isPartial = (folder: string): boolean => folder.endsWith('.partial') && isUnlisted(folder);

async function folders(path: string, wanted: (folder: string) => boolean): Promise<string[]> {
  try {
    const found = await readdir(path, { withFileTypes: true });
    return found
      .filter((entry) => entry.isDirectory() && wanted(entry.name))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    // removed in between, or nothing was ever backed up
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw fileError(error, path);
  }
}
