import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { LiftlockError } from '#kernel';
import { foldersOf, type ApplicationKey, type BackupKey } from './backup-key.js';
import { fileError } from './file-errors.js';
import { LocalFolder } from './local-folder.js';
import { FolderPlace } from './restic/folder-place.js';
import { RESTIC, type ResticPlace } from './restic/restic-place.js';
import { applicationsIn, scanRepository, sweepLeftovers } from './scan.js';
import type { AtRest, Store, StoredFolder } from './store.js';

/** A folder of the service's machine, or of a share that is mounted there. */
export class FolderStore implements Store {
  /** @param location absolute */
  constructor(readonly location: string) {}

  folder(key: BackupKey): StoredFolder {
    return new LocalFolder(join(this.location, ...foldersOf(key)));
  }

  scan(): AsyncIterable<BackupKey> {
    return scanRepository(this.location);
  }

  sweep(isAtRest: AtRest): Promise<string[]> {
    return sweepLeftovers(this.location, isAtRest);
  }

  restic({ environment, application }: ApplicationKey): ResticPlace {
    return new FolderPlace(join(this.location, environment, application, RESTIC));
  }

  async *resticPlaces(): AsyncGenerator<ApplicationKey> {
    for await (const one of applicationsIn(this.location))
      if ((await this.restic(one).read('config')) !== undefined) yield one;
  }

  async freeBytes(): Promise<number> {
    try {
      const { bavail, bsize } = await statfs(this.location);
      return bavail * bsize;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        throw new LiftlockError(
          'misconfigured',
          `there is no folder ${this.location}: is its share not mounted, or LIFTLOCK_BACKUP_STORE not what it should be?`,
          { cause: error },
        );
      throw fileError(error, this.location);
    }
  }
}
