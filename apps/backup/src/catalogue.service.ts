import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type {
  BackupKeyData,
  BackupView,
  ListedBackup,
  ManifestSummary,
  QueryData,
} from '#contracts';
import { LiftlockError, type Clock } from '#kernel';
import { UnitOfWork } from '#persistence';
import { countTypes, type StoredManifest } from './domain/manifest.js';
import { listedOf, type BackupRow } from './persistence/backup-row.js';
import { BackupStore } from './persistence/backup.store.js';
import { isSetAtRest } from './persistence/set-at-rest.js';
import type { BackupFolder } from './repository/backup-folder.js';
import { Repository } from './repository/repository.js';
import { CLOCK } from './tokens.js';

/** Milliseconds for which the folder is not walked again. */
const FRESH_MS = 60_000;
/** Manifests whose summaries are kept. */
const MOST_SUMMARIES = 100;

/** What backups there are. The repository's folder is the truth: the records are made of it, and anew when they are lost. */
@Injectable()
export class CatalogueService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(CatalogueService.name);
  private walkedAt: number | undefined;
  private walking: Promise<void> | undefined;
  /** By the place of the backup, of manifests that were found to be as they were written. */
  private readonly summaries = new Map<
    string,
    { readonly stamp: string; readonly summary: ManifestSummary }
  >();

  constructor(
    private readonly work: UnitOfWork,
    private readonly backups: BackupStore,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly repository: Repository,
  ) {}

  /** @throws LiftlockError `misconfigured` when what the settings ask for is not on this machine */
  async onApplicationBootstrap(): Promise<void> {
    await this.repository.assertUsable();
    // a slow or unmounted store must keep no service from starting
    this.refresh().catch((error: unknown) =>
      this.logger.error(
        `the repository ${this.repository.store.location} was not walked: ${String(error)}`,
      ),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.repository.close();
  }

  async list(filter: QueryData<'list-backups'>): Promise<ListedBackup[]> {
    await this.refresh();
    const rows = await this.work.single((db) => this.backups.list(db, filter));
    return Promise.all(rows.map((row) => this.look(row)));
  }

  /** @throws LiftlockError `not_found` */
  async find(key: BackupKeyData): Promise<BackupRow> {
    const find = () => this.work.single((db) => this.backups.find(db, key));
    let row = await find();
    if (row === undefined) {
      await this.refresh();
      row = await find();
    }
    if (row !== undefined) return row;
    throw new LiftlockError(
      'not_found',
      `there is no backup ${key.backup} of ${key.upgrade}: liftlock backups list shows what there is`,
    );
  }

  /** With what a look at its folder tells. */
  async look(row: BackupRow): Promise<ListedBackup> {
    const folder = this.folderOf(row);
    const found = await folder.look(Number(row.archive_bytes), row.restic_snapshot);
    const listed = { ...listedOf(row), present: found !== 'missing' };
    if (found !== 'damaged') return listed;
    // that much needs no reading: it must not pass for a good one until somebody verifies it
    const problem =
      row.restic_snapshot === null
        ? `${folder.path}: its archive is not as long as it was`
        : `${folder.path}: restic has no snapshot ${row.restic_snapshot} any more`;
    if (listed.verification?.state === 'running')
      return { ...listed, verification: { ...listed.verification, problem } };
    const now = this.clock.now().toISOString();
    return {
      ...listed,
      verification: { state: 'corrupt', startedAt: now, finishedAt: now, bytes: 0, problem },
    };
  }

  async get(key: BackupKeyData): Promise<BackupView> {
    const row = await this.find(key);
    const listed = await this.look(row);
    try {
      return { ...listed, manifest: await this.summaryOf(row) };
    } catch (error) {
      const known = LiftlockError.from(error);
      if (known.code !== 'data_corrupt' && known.code !== 'data_missing') throw error;
      return { ...listed, problem: known.message };
    }
  }

  /** @throws LiftlockError `data_missing`; `data_corrupt` when it is not the one that was recorded */
  async manifestOf(row: BackupRow): Promise<StoredManifest> {
    const folder = this.folderOf(row);
    const manifest = await folder.manifest();
    if (manifest === undefined)
      throw new LiftlockError('data_missing', `there is no backup ${folder.path} any more`);
    if (manifest.digest !== row.manifest_digest)
      throw new LiftlockError(
        'data_corrupt',
        `${folder.path}/manifest.json is not the one that was written: it has ${manifest.digest}, and had ${row.manifest_digest}`,
      );
    return manifest;
  }

  /** Whoever waits for something asks again and again, and a manifest may have a hundred thousand entries. */
  private async summaryOf(row: BackupRow): Promise<ManifestSummary> {
    const folder = this.folderOf(row);
    const bytes = await folder.stamp();
    const stamp = bytes === undefined ? undefined : `${bytes} ${row.manifest_digest}`;
    const known = this.summaries.get(folder.path);
    if (known !== undefined && known.stamp === stamp) return known.summary;
    const summary = summaryOf(await this.manifestOf(row));
    if (this.summaries.size >= MOST_SUMMARIES) this.summaries.clear();
    if (stamp !== undefined) this.summaries.set(folder.path, { stamp, summary });
    return summary;
  }

  /**
   * That it can be read back with the keys this service has; what is damaged is not seen here.
   * @throws LiftlockError `misconfigured`, naming the references to the keys, when none of them opens it
   */
  async assertOpens(row: BackupRow): Promise<void> {
    try {
      await this.folderOf(row).opened(await this.manifestOf(row));
    } catch (error) {
      const { code } = LiftlockError.from(error);
      if (code !== 'data_corrupt' && code !== 'data_missing') throw error;
    }
  }

  folderOf(row: BackupRow): BackupFolder {
    return this.repository.folder(row);
  }

  /** Records what the folder has and no record knows, and removes what nobody will go on with: walks it at most once a minute. */
  async refresh(): Promise<void> {
    const now = this.clock.now().getTime();
    if (this.walkedAt !== undefined && now - this.walkedAt < FRESH_MS) return;
    this.walking ??= this.walk().finally(() => (this.walking = undefined));
    await this.walking;
    this.walkedAt = now;
  }

  private async walk(): Promise<void> {
    const known = await this.work.single((db) => this.backups.known(db));
    for await (const key of this.repository.store.scan()) {
      const { environment, application, upgrade, backup } = key;
      if (known.has(`${environment}/${application}/${upgrade}/${backup}`)) continue;
      const folder = this.repository.folder(key);
      try {
        const manifest = await folder.manifest();
        if (manifest === undefined) continue;
        await this.work.run((tx) => this.backups.save(tx, manifest, folder.path));
        this.logger.log(`${folder.path} was in the repository and not in the records: it is now`);
      } catch (error) {
        // one that cannot be read must not hide the others
        this.logger.error(`${folder.path} is not listed: ${LiftlockError.from(error).message}`);
      }
    }
    await this.sweep();
  }

  /** What cannot be removed takes room, and hides nothing. */
  private async sweep(): Promise<void> {
    try {
      const atRest = (upgrade: string) => this.work.single((db) => isSetAtRest(db, upgrade));
      for (const path of await this.repository.sweep(atRest))
        this.logger.log(`${path} was left by an attempt that was cut off: it is removed`);
    } catch (error) {
      this.logger.error(
        `left-overs in ${this.repository.store.location} stay for now: ${String(error)}`,
      );
    }
  }
}

function summaryOf(manifest: StoredManifest): ManifestSummary {
  const { source, archive, quiesced, fuzzy, sealed } = manifest;
  return {
    version: manifest.version,
    digest: manifest.digest,
    stepId: manifest.stepId,
    token: manifest.token,
    target: source.target.name,
    container: source.container,
    containerId: source.containerId,
    paths: source.paths,
    ...(source.folder === undefined ? {} : { folder: source.folder }),
    archive: {
      ...{ file: archive.file, format: archive.format, tools: archive.tools },
      ...(archive.restic === undefined ? {} : { restic: archive.restic }),
    },
    counts: { ...(manifest.counts ?? countTypes(manifest.entries ?? [])) },
    ...(sealed === undefined ? {} : { encryptedTo: sealed.recipients }),
    ...(source.image === undefined ? {} : { image: source.image }),
    ...(source.mounts === undefined ? {} : { mounts: source.mounts }),
    ...(quiesced === undefined ? {} : { quiesced }),
    ...(fuzzy === undefined ? {} : { fuzzy }),
  };
}
