import { Logger } from '@nestjs/common';
import { LiftlockError } from '#kernel';
import type { ApplicationKey, BackupKey } from '../backup-key.js';
import type { AtRest, Store } from '../store.js';
import type { ResticArchives, ResticSnapshot } from './restic-archives.js';
import type { ResticEngine } from './restic-engine.js';

/** Milliseconds after which what no manifest names is nobody's, whether its upgrade is known here or not. */
const OLD_MS = 7 * 24 * 3_600_000;

/** Which snapshot the manifest of a backup names: nothing where there is no backup, or its archive lies elsewhere. */
export type NamedSnapshot = (key: BackupKey) => Promise<string | undefined>;

/** Forgets snapshots of restic that no manifest names, and gives back their room. */
export class ResticSweep {
  private readonly logger = new Logger(ResticSweep.name);
  private readonly stopping = new AbortController();
  /** By repository: the snapshots that were there when all of them were named. */
  private readonly settled = new Map<string, string>();
  /** Repositories with room to be given back. */
  private readonly unpruned = new Map<string, ResticArchives>();
  private working: Promise<void> = Promise.resolve();

  constructor(
    private readonly store: Store,
    private readonly engine: ResticEngine,
    private readonly named: NamedSnapshot,
  ) {}

  /** What no backup needs any more; nobody waits for it. What is not forgotten then is found by `run`: no manifest names it. */
  forget(of: ApplicationKey, snapshot: string): void {
    const { signal } = this.stopping;
    this.later(this.store.restic(of).repository, async () => {
      const archives = this.engine.at(this.store, of);
      await archives.forget([snapshot], signal);
      this.unpruned.set(archives.place.repository, archives);
    });
    this.prune();
  }

  /** @returns for people: what was forgotten */
  async run(isAtRest: AtRest): Promise<string[]> {
    const swept: string[] = [];
    if (!this.engine.isOn) return swept;
    const { signal } = this.stopping;
    for await (const of of this.store.resticPlaces()) {
      const archives = this.engine.at(this.store, of);
      const { repository } = archives.place;
      const names = (await archives.place.names('snapshots')).sort().join();
      if (this.settled.get(repository) === names) continue;
      const unnamed = await this.unnamed(await archives.snapshots(signal), of);
      if (unnamed.length === 0) this.settled.set(repository, names);
      const left: string[] = [];
      for (const { snapshot, key } of unnamed) {
        const isOld = Date.now() - snapshot.time.getTime() > OLD_MS;
        if (!isOld && !(await isAtRest(key.upgrade))) continue;
        // looked at again: its manifest may have come meanwhile
        if (!(await this.isNamed(key, snapshot.id))) left.push(snapshot.id);
      }
      await archives.forget(left, signal);
      if (left.length > 0) this.unpruned.set(repository, archives);
      swept.push(...left.map((id) => `the snapshot ${id} in ${repository}`));
    }
    this.prune();
    return swept;
  }

  /** Waits for what it is at, which is interrupted. */
  async close(): Promise<void> {
    this.stopping.abort(new LiftlockError('unavailable', 'the backup service ends'));
    await this.working;
  }

  /** Takes long where much is to be rewritten: nobody waits for it. Where somebody else is at work it is tried again at the next sweep. */
  private prune(): void {
    const { signal } = this.stopping;
    this.later('restic', async () => {
      for (const [repository, archives] of this.unpruned) {
        await archives.unlock(signal);
        if (await archives.prune(signal)) this.unpruned.delete(repository);
      }
    });
  }

  /** One after the other. */
  private later(what: string, work: () => Promise<void>): void {
    this.working = this.working.then(work).catch((error: unknown) => {
      if (!this.stopping.signal.aborted)
        this.logger.warn(`${what}: no room was given back: ${String(error)}`);
    });
  }

  private async unnamed(
    snapshots: readonly ResticSnapshot[],
    of: ApplicationKey,
  ): Promise<Array<{ readonly snapshot: ResticSnapshot; readonly key: BackupKey }>> {
    const found = [];
    for (const snapshot of snapshots) {
      const upgrade = valueOf(snapshot, 'upgrade');
      const backup = valueOf(snapshot, 'backup');
      // one that somebody made by hand is theirs
      if (upgrade === undefined || backup === undefined) continue;
      const key = { ...of, upgrade, backup };
      if (!(await this.isNamed(key, snapshot.id))) found.push({ snapshot, key });
    }
    return found;
  }

  /** Of a manifest that cannot be read, something may yet be saved. */
  private async isNamed(key: BackupKey, id: string): Promise<boolean> {
    try {
      return (await this.named(key)) === id;
    } catch (error) {
      if (error instanceof LiftlockError && error.code === 'data_corrupt') return true;
      throw error;
    }
  }
}

function valueOf({ tags }: ResticSnapshot, name: string): string | undefined {
  return tags.find((tag) => tag.startsWith(`${name}=`))?.slice(name.length + 1);
}
