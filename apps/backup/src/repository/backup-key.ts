import { backupName, backupSetId, name } from '#contracts';
import { isUnlisted } from './take-out.js';

/** A backup's name is the plan's, and plans look alike: the upgrade it was made for is part of what tells it from others. */
export interface BackupKey {
  readonly environment: string;
  readonly application: string;
  readonly upgrade: string;
  readonly backup: string;
}

export type ApplicationKey = Pick<BackupKey, 'environment' | 'application'>;

/** Names of the folders from the repository down to the backup. */
export function foldersOf({ environment, application, upgrade, backup }: BackupKey): string[] {
  return [environment, application, upgrade, backup];
}

export const isName = (folder: string): boolean => name.safeParse(folder).success;
export const isUpgrade = (folder: string): boolean => backupSetId.safeParse(folder).success;
export const isBackup = (folder: string): boolean =>
  backupName.safeParse(folder).success && !isUnlisted(folder);

/** @returns nothing where the folders are no backup's */
export function keyOfFolders(folders: readonly string[]): BackupKey | undefined {
  const [environment, application, upgrade, backup, ...more] = folders;
  if (environment === undefined || application === undefined) return undefined;
  if (upgrade === undefined || backup === undefined || more.length > 0) return undefined;
  const isOne =
    isName(environment) && isName(application) && isUpgrade(upgrade) && isBackup(backup);
  return isOne ? { environment, application, upgrade, backup } : undefined;
}
