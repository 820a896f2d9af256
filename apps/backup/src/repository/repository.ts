import { BackupFolder, type BackupKey } from './backup-folder.js';
import { Encryption } from './encryption.js';
import type { Store } from './store.js';

/** The backups of one store, and how they are encrypted. */
export class Repository {
  constructor(
    readonly store: Store,
    private readonly encryption: Encryption = new Encryption(),
  ) {}

  /** @throws LiftlockError `invalid_step` when it is no name for a backup */
  folder({ environment, application, upgrade, backup }: BackupKey): BackupFolder {
    const key = { environment, application, upgrade, backup };
    return new BackupFolder(this.store, key, this.encryption);
  }
}
