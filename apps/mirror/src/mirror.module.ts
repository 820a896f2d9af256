import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { Bus, BusModule } from '#bus';
import { DriverRegistry, SecretStore } from '#drivers/core';
import { LOGIN_VARIABLES } from '#oci';
import { DeadLetterRepository, PersistenceModule } from '#persistence';
import { StepsModule, StepsTables1700000000500 } from '#steps';
import { loadDrivers } from './drivers.js';
import type { Env } from './env.js';
import { DeleteMirroredHandler } from './handlers/delete-mirrored.handler.js';
import { ExamineImagesHandler } from './handlers/examine-images.handler.js';
import { ListMirroredHandler } from './handlers/list-mirrored.handler.js';
import { MirrorGarbageHandler } from './handlers/mirror-garbage.handler.js';
import { LayersService } from './layers.service.js';
import { MirrorService } from './mirror.service.js';
import { MirroringModule } from './mirroring.module.js';
import { BlobClaims1700000004100 } from './persistence/blob-claims.migration.js';
import { MirroredImages1700000004000 } from './persistence/mirrored-images.migration.js';
import { mirrorHandlers } from './step-handlers.js';

@Module({})
export class MirrorModule implements OnApplicationShutdown {
  constructor(private readonly drivers: DriverRegistry) {}

  static forEnv(env: Env): DynamicModule {
    const secrets = new SecretStore(env.secrets);
    const drivers = loadDrivers(env.LIFTLOCK_DRIVERS, secrets);
    const logins = Object.fromEntries(LOGIN_VARIABLES.map((name) => [name, env[name]]));
    const mirroring = MirroringModule.with(secrets, logins, env.LIFTLOCK_LEASE_MS);
    return {
      module: MirrorModule,
      imports: [
        PersistenceModule.forRoot({
          app: 'mirror',
          url: env.DATABASE_URL,
          entities: [],
          migrations: [
            StepsTables1700000000500,
            MirroredImages1700000004000,
            BlobClaims1700000004100,
          ],
          publisher: Bus,
        }),
        BusModule.forRoot({
          app: 'mirror',
          site: env.LIFTLOCK_SITE,
          url: env.NATS_URL,
          user: env.NATS_USER,
          password: env.NATS_PASSWORD,
          deadLetters: DeadLetterRepository,
        }),
        StepsModule.forApp({
          app: 'mirror',
          leaseMs: env.LIFTLOCK_LEASE_MS,
          sweepMs: env.LIFTLOCK_SWEEP_MS,
          concurrency: env.LIFTLOCK_CONCURRENCY,
          imports: [mirroring],
          handlers: {
            useFactory: (mirror: MirrorService, layers: LayersService) =>
              mirrorHandlers(drivers, mirror, layers),
            inject: [MirrorService, LayersService],
          },
        }),
        mirroring,
      ],
      controllers: [
        ExamineImagesHandler,
        ListMirroredHandler,
        MirrorGarbageHandler,
        DeleteMirroredHandler,
      ],
      providers: [{ provide: DriverRegistry, useValue: drivers }],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.drivers.close();
  }
}
