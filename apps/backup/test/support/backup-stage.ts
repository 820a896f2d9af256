import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Global, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type Docker from 'dockerode';
import { DataSource } from 'typeorm';
import { DriverRegistry, type Driver, type StepContext } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { systemClock, systemIds } from '#kernel';
import { PersistenceModule, UnitOfWork, type OutboxPublisher } from '#persistence';
import { newFolder, plantTree } from '../../../../test/support/data-tree.js';
import { cleanUp, openEngine } from '../../../../test/support/engine-client.js';
import { freshDatabase, type FreshDatabase } from '../../../../test/support/index.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextOf } from '../../../../test/support/step-context.js';
import { CatalogueService } from '../../src/catalogue.service.js';
import { BackupStore } from '../../src/persistence/backup.store.js';
import { VerificationStore } from '../../src/persistence/verification.store.js';
import type { BackupKey } from '../../src/repository/backup-folder.js';
import { FolderStore } from '../../src/repository/folder-store.js';
import { Repository } from '../../src/repository/repository.js';
import { MIGRATIONS } from '../../src/persistence/migrations.js';
import { RepositoryModule } from '../../src/repository.module.js';
import { RestoreService } from '../../src/restore.service.js';
import { SnapshotService, type SnapshotInput } from '../../src/snapshot.service.js';
import { QuietService } from '../../src/quiet.service.js';
import { VerifySchedule } from '../../src/verify.schedule.js';
import { VerifyService } from '../../src/verify.service.js';

export { expectRefused } from './expect-refused.js';

/** What these services send stays in the outbox, to be looked at. */
class NoMessages implements OutboxPublisher {
  publish(): Promise<void> {
    return Promise.resolve();
  }
}
@Global()
@Module({ providers: [NoMessages], exports: [NoMessages] })
class NoMessagesModule {}

export interface Scene {
  readonly folder: string;
  readonly containerId: string;
  readonly input: Parameters<RestoreService['restore']>[1];
  /** Of the next attempt of this upgrade. */
  attempt(changes?: Partial<StepContext>): ReturnType<typeof contextOf>;
  snapshot(changes?: Partial<StepContext>): ReturnType<SnapshotService['take']>;
  /** Of what may go on running. */
  snapshotRunning(changes?: Partial<StepContext>): ReturnType<SnapshotService['take']>;
  /** As a step with these besides asks for it. */
  snapshotAs(
    more: Pick<SnapshotInput, 'consistency' | 'hooks' | 'stop' | 'engine'>,
    changes?: Partial<StepContext>,
  ): ReturnType<SnapshotService['take']>;
  restore(changes?: Partial<StepContext>): ReturnType<RestoreService['restore']>;
  /** The backup's folder. */
  readonly location: string;
}

/** The backup's services on a real database, a repository of their own and the run's engine. */
export class BackupStage {
  private scenes = 0;
  private readonly folders: string[] = [];

  private constructor(
    private readonly prefix: string,
    readonly docker: Docker,
    readonly endpoint: string,
    readonly image: string,
    private readonly database: FreshDatabase,
    private readonly app: INestApplicationContext,
    readonly root: string,
    readonly repository: Repository,
  ) {}

  /** @param make the repository; default: a folder that nothing is encrypted in */
  static async open(
    prefix: string,
    make = (root: string): Repository => new Repository(new FolderStore(root)),
  ): Promise<BackupStage> {
    const { docker, endpoint } = await openEngine();
    const image = await serviceImage(docker, `liftlock-test-${prefix}:1.0`, '1.0');
    const database = await freshDatabase();
    const root = mkdtempSync(join(tmpdir(), 'liftlock-repository-'));
    const persistence = PersistenceModule.forRoot({
      app: 'backup',
      url: database.url('backup'),
      entities: [],
      migrations: MIGRATIONS,
      publisher: NoMessages,
    });
    const repository = make(root);
    const drivers = new DriverRegistry({ docker: dockerDriver });
    const services = RepositoryModule.at(repository, drivers, {
      // scenes' folders are there
      folders: [tmpdir()],
      // longer than any machine stands still: where one has to end, a test ends it
      quieting: { leaseMs: 600_000, sweepMs: 200 },
    });
    class Root {}
    const app = await NestFactory.createApplicationContext(
      { module: Root, imports: [NoMessagesModule, persistence, services] },
      { logger: ['error'], abortOnError: false },
    );
    return new BackupStage(prefix, docker, endpoint, image, database, app, root, repository);
  }

  get snapshots(): SnapshotService {
    return this.app.get(SnapshotService);
  }

  driver(): Promise<Driver> {
    return this.app.get(DriverRegistry).get('docker');
  }

  get restores(): RestoreService {
    return this.app.get(RestoreService);
  }

  /** As a service does that begins to read a backup back, and comes no further. */
  async beginsToVerify(key: BackupKey): Promise<void> {
    const { app } = this;
    await app
      .get(UnitOfWork)
      .run((tx) => app.get(VerificationStore).claim(tx, key, systemIds.next('msg')));
  }

  get verifying(): VerifyService {
    return this.app.get(VerifyService);
  }

  /** One that has not walked the repository yet. */
  newCatalogue(): CatalogueService {
    const { app, repository } = this;
    return new CatalogueService(app.get(UnitOfWork), app.get(BackupStore), systemClock, repository);
  }

  get quiet(): QuietService {
    return this.app.get(QuietService);
  }

  /** Of another replica. */
  newSchedule(everyDays: number): VerifySchedule {
    const { app } = this;
    return new VerifySchedule(
      ...([app.get(UnitOfWork), this.newCatalogue(), app.get(VerificationStore)] as const),
      this.verifying,
      { site: 'main', everyDays, bytesPerSecond: 1024 ** 3, lookMs: 60_000 },
    );
  }

  get databaseUrl(): string {
    return this.database.url('backup');
  }

  query<T>(sql: string): Promise<T[]> {
    return this.app.get(DataSource).query<T[]>(sql);
  }

  /** A stopped container with one of everything on a bind mount. */
  async setScene(plant: (folder: string) => unknown = plantTree): Promise<Scene> {
    const folder = newFolder();
    this.folders.push(folder);
    await plant(folder);
    this.scenes += 1;
    const container = `${this.prefix}-${this.scenes}`;
    const made = await this.docker.createContainer({
      name: container,
      Image: this.image,
      StopTimeout: 1,
      HostConfig: { Binds: [`${folder}:/data`] },
    });
    const upgrade = systemIds.next('upg');
    const application = `app${this.scenes}`;
    let token = 0;
    const attempt: Scene['attempt'] = (changes = {}) => {
      token += 1;
      return contextOf(this.endpoint, { upgrade, application, token, ...changes });
    };
    const input = {
      container,
      containerId: made.id,
      keptName: `${container}-kept`,
      paths: ['/data'],
      backup: `${upgrade}_one`,
    };
    return {
      folder,
      containerId: made.id,
      input,
      attempt,
      snapshot: (changes) =>
        this.snapshots.take(attempt(changes), { ...input, consistency: 'stopped' }),
      snapshotRunning: (changes) =>
        this.snapshots.take(attempt(changes), { ...input, consistency: 'running' }),
      snapshotAs: (more, changes) => this.snapshots.take(attempt(changes), { ...input, ...more }),
      restore: (changes) => this.restores.restore(attempt(changes), input),
      location: this.repository.folder({
        ...{ environment: 'test', application, upgrade, backup: input.backup },
      }).path,
    };
  }

  /** Another container with the same data, running. */
  async startOther(bind: string): Promise<Docker.Container> {
    const other = await this.docker.createContainer({
      name: `${this.prefix}-other`,
      Image: this.image,
      StopTimeout: 1,
      HostConfig: { Binds: [bind] },
    });
    await other.start();
    return other;
  }

  async clear(): Promise<void> {
    await cleanUp(this.docker, this.prefix);
    for (const folder of this.folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await this.app.get(DriverRegistry).close();
    await this.app.close();
    await this.database.drop();
    await this.docker.getImage(this.image).remove({ force: true });
    rmSync(this.root, { recursive: true, force: true });
  }
}
