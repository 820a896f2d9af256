import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import type { SecretStore } from '#drivers/core';
import { loginSettings } from '#oci';
import { UnitOfWork } from '#persistence';
import { ExamineService } from './examine.service.js';
import { GarbageService } from './garbage.service.js';
import { LayersService } from './layers.service.js';
import { MirrorService } from './mirror.service.js';
import { MirroredImageStore } from './persistence/mirrored-image.store.js';
import { BlobClaimStore } from './persistence/blob-claim.store.js';
import { RegistryPool } from './registries/registry-pool.js';
import { SharedBlobClaims } from './registries/shared-blob-claims.js';

/** Copies into registries, over connections that all share. */
@Module({})
export class MirroringModule implements OnApplicationShutdown {
  constructor(private readonly pool: RegistryPool) {}

  /**
   * @param logins variables of the environment, see `loginSettings`
   * @param leaseMs milliseconds until what a dead replica was writing is free for others
   */
  static with(
    secrets: SecretStore,
    logins: Readonly<Record<string, string | undefined>>,
    leaseMs: number,
  ): DynamicModule {
    return {
      module: MirroringModule,
      providers: [
        { provide: RegistryPool, useValue: new RegistryPool(secrets, loginSettings(logins)) },
        {
          provide: SharedBlobClaims,
          useFactory: (work: UnitOfWork, store: BlobClaimStore) =>
            new SharedBlobClaims(work, store, leaseMs),
          inject: [UnitOfWork, BlobClaimStore],
        },
        BlobClaimStore,
        ExamineService,
        LayersService,
        MirroredImageStore,
        MirrorService,
        GarbageService,
      ],
      exports: [ExamineService, LayersService, MirrorService, GarbageService],
    };
  }

  onApplicationShutdown(): void {
    this.pool.close();
  }
}
