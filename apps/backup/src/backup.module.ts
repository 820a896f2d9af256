import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { Bus, BusModule } from '#bus';
import { DriverRegistry, SecretStore } from '#drivers/core';
import { DeadLetterRepository, PersistenceModule } from '#persistence';
import { StepsModule, StepsTables1700000000500 } from '#steps';
import { loadDrivers } from './drivers.js';
import type { Env } from './env.js';
import { DeleteBackupHandler } from './handlers/delete-backup.handler.js';
import { GetBackupHandler } from './handlers/get-backup.handler.js';
import { ListBackupsHandler } from './handlers/list-backups.handler.js';
import { PrunableBackupsHandler } from './handlers/prunable-backups.handler.js';
import { VerifyBackupHandler } from './handlers/verify-backup.handler.js';
import { BackupVerification1700000007000 } from './persistence/backup-verification.migration.js';
import { BackupTables1700000003000 } from './persistence/backups.migration.js';
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
    const repository = RepositoryModule.at(
      openRepository(env),
      drivers,
      env.LIFTLOCK_BACKUP_RATIO,
      env.LIFTLOCK_FOLDERS,
    );
    return {
      module: BackupModule,
      imports: [
        PersistenceModule.forRoot({
          app: 'backup',
          url: env.DATABASE_URL,
          entities: [],
          migrations: [
            StepsTables1700000000500,
            BackupTables1700000003000,
            BackupVerification1700000007000,
          ],
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
      ],
      providers: [RetentionService],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.drivers.close();
  }
}
