import { Module, type DynamicModule } from '@nestjs/common';
import { DriverRegistry, TextSecrets } from '#drivers/core';
import { systemClock } from '#kernel';
import { CatalogueService } from './catalogue.service.js';
import { DataDrivers } from './data-drivers.js';
import { BackupStore } from './persistence/backup.store.js';
import { QuietStore } from './persistence/quiet.store.js';
import { QuietService } from './quiet.service.js';
import { RestoreService } from './restore.service.js';
import { SnapshotService } from './snapshot.service.js';
import { VerificationStore } from './persistence/verification.store.js';
import { Repository } from './repository/repository.js';
import { StoreSpace } from './repository/store-space.js';
import { RoomService } from './room.service.js';
import {
  CLOCK,
  EXPECTED_RATIO,
  FOLDERS,
  QUIETING,
  VERIFYING,
  type Quieting,
  type Verifying,
} from './tokens.js';
import { VerifySchedule } from './verify.schedule.js';
import { VerifyService } from './verify.service.js';

const QUIET: Quieting = { leaseMs: 15_000, sweepMs: 5_000, site: 'main' };

/** By itself nothing is read back: a service says how often. */
const VERIFY: Verifying = {
  site: 'main',
  everyDays: 0,
  bytesPerSecond: 50 * 1024 * 1024,
  lookMs: 60_000,
};

export interface Settings {
  /** Bytes of an archive for each byte of data, where no earlier backup tells; default 1. */
  readonly expectedRatio?: number;
  /** Of this machine, that data may be in: absolute; default none. */
  readonly folders?: readonly string[];
  /** That applications' commands around a snapshot may name; default: none is known. */
  readonly secrets?: TextSecrets;
  readonly quieting?: Partial<Quieting>;
  readonly verifying?: Partial<Verifying>;
}

/** Snapshots and restores over one repository, and what there is in it. */
@Module({})
export class RepositoryModule {
  static at(
    repository: Repository,
    drivers: DriverRegistry,
    {
      expectedRatio = 1,
      folders = [],
      secrets = new TextSecrets({ variables: {} }),
      quieting = {},
      verifying = {},
    }: Settings = {},
  ): DynamicModule {
    return {
      module: RepositoryModule,
      providers: [
        { provide: Repository, useValue: repository },
        { provide: CLOCK, useValue: systemClock },
        { provide: DriverRegistry, useValue: drivers },
        { provide: EXPECTED_RATIO, useValue: expectedRatio },
        { provide: FOLDERS, useValue: folders },
        DataDrivers,
        { provide: TextSecrets, useValue: secrets },
        { provide: QUIETING, useValue: { ...QUIET, ...quieting } },
        { provide: VERIFYING, useValue: { ...VERIFY, ...verifying } },
        BackupStore,
        StoreSpace,
        RoomService,
        QuietStore,
        QuietService,
        SnapshotService,
        RestoreService,
        CatalogueService,
        VerificationStore,
        VerifyService,
        VerifySchedule,
      ],
      exports: [
        CLOCK,
        BackupStore,
        SnapshotService,
        RestoreService,
        CatalogueService,
        VerifyService,
        QuietService,
        QUIETING,
        DriverRegistry,
      ],
    };
  }
}
