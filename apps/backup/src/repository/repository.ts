import { BackupFolder, type BackupKey } from './backup-folder.js';
import { Encryption } from './encryption.js';
import { ResticEngine } from './restic/restic-engine.js';
import { ResticSweep } from './restic/restic-sweep.js';
import type { AtRest, Store } from './store.js';

/** The backups of one store, how they are encrypted, and what keeps archives that restic has. */
export class Repository {
  private readonly resticSweep: ResticSweep;

  constructor(
    readonly store: Store,
    private readonly encryption: Encryption = new Encryption(),
    readonly restic: ResticEngine = new ResticEngine(),
  ) {
    this.resticSweep = new ResticSweep(store, restic, async (key) => {
      const manifest = await this.folder(key).manifest();
      return manifest?.archive.restic?.snapshot;
    });
  }

  /** @throws LiftlockError `invalid_step` when it is no name for a backup */
  folder({ environment, application, upgrade, backup }: BackupKey): BackupFolder {
    const key = { environment, application, upgrade, backup };
    const { store, encryption, restic, resticSweep } = this;
    return new BackupFolder(store, key, encryption, {
      engine: restic,
      forget: (snapshot) => resticSweep.forget(key, snapshot),
    });
  }

  /** @throws LiftlockError `misconfigured` when restic is to be used, and is not on this machine */
  async assertUsable(): Promise<void> {
    if (this.restic.isOn) await this.restic.version();
  }

  /** As `Store.sweep`, with what restic keeps for nobody. */
  async sweep(isAtRest: AtRest): Promise<string[]> {
    return [...(await this.store.sweep(isAtRest)), ...(await this.resticSweep.run(isAtRest))];
  }

  /** Ends what goes on by itself. */
  close(): Promise<void> {
    return this.resticSweep.close();
  }
}
