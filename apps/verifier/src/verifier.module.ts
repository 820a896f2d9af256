import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { Bus, BusModule } from '#bus';
import { DriverRegistry, SecretStore } from '#drivers/core';
import { DeadLetterRepository, PersistenceModule } from '#persistence';
import { StepsModule, StepsTables1700000000500 } from '#steps';
import { loadDrivers } from './drivers.js';
import type { Env } from './env.js';
import { verifierHandlers } from './step-handlers.js';

@Module({})
export class VerifierModule implements OnApplicationShutdown {
  constructor(private readonly drivers: DriverRegistry) {}

  static forEnv(env: Env): DynamicModule {
    const drivers = loadDrivers(env.LIFTLOCK_DRIVERS, new SecretStore(env.secrets));
    return {
      module: VerifierModule,
      imports: [
        PersistenceModule.forRoot({
          app: 'verifier',
          url: env.DATABASE_URL,
          entities: [],
          migrations: [StepsTables1700000000500],
          publisher: Bus,
        }),
        BusModule.forRoot({
          app: 'verifier',
          site: env.LIFTLOCK_SITE,
          url: env.NATS_URL,
          user: env.NATS_USER,
          password: env.NATS_PASSWORD,
          deadLetters: DeadLetterRepository,
        }),
        StepsModule.forApp({
          app: 'verifier',
          leaseMs: env.LIFTLOCK_LEASE_MS,
          sweepMs: env.LIFTLOCK_SWEEP_MS,
          concurrency: env.LIFTLOCK_CONCURRENCY,
          handlers: { useFactory: () => verifierHandlers(drivers) },
        }),
      ],
      providers: [{ provide: DriverRegistry, useValue: drivers }],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.drivers.close();
  }
}
