import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { Bus, BusModule } from '#bus';
import { DriverRegistry, SecretStore, TextSecrets } from '#drivers/core';
import { DeadLetterRepository, PersistenceModule } from '#persistence';
import { StepsModule } from '#steps';
import { loadDrivers } from './drivers.js';
import type { Env } from './env.js';
import { ByHandService } from './by-hand.service.js';
import { FolderRestoreService } from './folder-restore.service.js';
import { CreateBackupHandler } from './handlers/create-backup.handler.js';
import { GetBackupRunHandler } from './handlers/get-backup-run.handler.js';
import { RestoreBackupHandler } from './handlers/restore-backup.handler.js';
import { RunStore } from './persistence/run.store.js';
import { RunsService } from './runs.service.js';
import { PARTS_AT_ONCE } from './tokens.js';
import { DeleteBackupHandler } from './handlers/delete-backup.handler.js';
import { GetBackupHandler } from './handlers/get-backup.handler.js';
import { ListBackupsHandler } from './handlers/list-backups.handler.js';
import { PrunableBackupsHandler } from './handlers/prunable-backups.handler.js';
import { VerifyBackupHandler } from './handlers/verify-backup.handler.js';
import { MIGRATIONS } from './persistence/migrations.js';
import { openRepository } from './repository/open-repository.js';
import { RepositoryModule } from './repository.module.js';
import { RestoreService } from './restore.service.js';
import { RetentionService } from './retention.service.js';
import { SnapshotService } from './snapshot.service.js';
import { backupHandlers } from './step-handlers.js';

@Module({})
export class BackupModule implements OnApplicationShutdown {
  constructor(private readonly drivers: DriverRegistry) {}

  static forEnv(env: Env): DynamicModule {
    const drivers = loadDrivers(
      env.LIFTLOCK_DRIVERS,
      new SecretStore(env.secrets),
      env.LIFTLOCK_HELPER_IMAGE,
    );
    const repository = RepositoryModule.at(openRepository(env), drivers, {
      expectedRatio: env.LIFTLOCK_BACKUP_RATIO,
      folders: env.LIFTLOCK_FOLDERS,
      secrets: new TextSecrets(env.secrets, 'the backup service'),
      quieting: {
        leaseMs: env.LIFTLOCK_LEASE_MS,
        sweepMs: env.LIFTLOCK_SWEEP_MS,
        site: env.LIFTLOCK_SITE,
      },
      verifying: {
        site: env.LIFTLOCK_SITE,
        everyDays: env.LIFTLOCK_VERIFY_DAYS,
        bytesPerSecond: env.LIFTLOCK_VERIFY_RATE * 1024 * 1024,
      },
    });
    return {
      module: BackupModule,
      imports: [
        PersistenceModule.forRoot({
          app: 'backup',
          url: env.DATABASE_URL,
          entities: [],
          migrations: MIGRATIONS,
          publisher: Bus,
        }),
        BusModule.forRoot({
          app: 'backup',
          site: env.LIFTLOCK_SITE,
          url: env.NATS_URL,
          user: env.NATS_USER,
          password: env.NATS_PASSWORD,
          deadLetters: DeadLetterRepository,
        }),
        repository,
        StepsModule.forApp({
          app: 'backup',
          leaseMs: env.LIFTLOCK_LEASE_MS,
          sweepMs: env.LIFTLOCK_SWEEP_MS,
          concurrency: env.LIFTLOCK_CONCURRENCY,
          imports: [repository],
          handlers: { useFactory: backupHandlers, inject: [SnapshotService, RestoreService] },
        }),
      ],
      controllers: [
        ListBackupsHandler,
        GetBackupHandler,
        VerifyBackupHandler,
        PrunableBackupsHandler,
        DeleteBackupHandler,
        CreateBackupHandler,
        RestoreBackupHandler,
        GetBackupRunHandler,
      ],
      providers: [
        { provide: PARTS_AT_ONCE, useValue: env.LIFTLOCK_BACKUP_AT_ONCE },
        RetentionService,
        RunStore,
        RunsService,
        FolderRestoreService,
        ByHandService,
      ],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.drivers.close();
  }
}
