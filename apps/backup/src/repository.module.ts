import { Module, type DynamicModule } from '@nestjs/common';
import { DriverRegistry } from '#drivers/core';
import { systemClock } from '#kernel';
import { CatalogueService } from './catalogue.service.js';
import { DataDrivers } from './data-drivers.js';
import { BackupStore } from './persistence/backup.store.js';
import { RestoreService } from './restore.service.js';
import { SnapshotService } from './snapshot.service.js';
import { VerificationStore } from './persistence/verification.store.js';
import { Repository } from './repository/repository.js';
import { StoreSpace } from './repository/store-space.js';
import { RoomService } from './room.service.js';
import { CLOCK, EXPECTED_RATIO, FOLDERS } from './tokens.js';
import { VerifyService } from './verify.service.js';

/** Snapshots and restores over one repository, and what there is in it. */
@Module({})
export class RepositoryModule {
  /**
   * @param expectedRatio bytes of an archive for each byte of data, where no earlier backup tells
   * @param folders of this machine that data may be in
   */
  static at(
    repository: Repository,
    drivers: DriverRegistry,
    expectedRatio = 1,
    folders: readonly string[] = [],
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
        BackupStore,
        StoreSpace,
        RoomService,
        SnapshotService,
        RestoreService,
        CatalogueService,
        VerificationStore,
        VerifyService,
      ],
      exports: [
        CLOCK,
        BackupStore,
        SnapshotService,
        RestoreService,
        CatalogueService,
        VerifyService,
        DriverRegistry,
      ],
    };
  }
}
