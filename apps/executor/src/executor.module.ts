import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { Bus, BusModule } from '#bus';
import { DriverRegistry, SecretStore, TextSecrets } from '#drivers/core';
import { DeadLetterRepository, PersistenceModule } from '#persistence';
import { StepsModule, StepsTables1700000000500 } from '#steps';
import { loadDrivers } from './drivers.js';
import type { Env } from './env.js';
import { ObserveHandler } from './handlers/observe.handler.js';
import { RedisStepQueue } from './redis-step-queue.js';
import { executorHandlers } from './step-handlers.js';

@Module({})
export class ExecutorModule implements OnApplicationShutdown {
  constructor(private readonly drivers: DriverRegistry) {}

  static forEnv(env: Env): DynamicModule {
    const drivers = loadDrivers(env.LIFTLOCK_DRIVERS, new SecretStore(env.secrets));
    return {
      module: ExecutorModule,
      imports: [
        PersistenceModule.forRoot({
          app: 'executor',
          url: env.DATABASE_URL,
          entities: [],
          migrations: [StepsTables1700000000500],
          publisher: Bus,
        }),
        BusModule.forRoot({
          app: 'executor',
          site: env.LIFTLOCK_SITE,
          url: env.NATS_URL,
          user: env.NATS_USER,
          password: env.NATS_PASSWORD,
          deadLetters: DeadLetterRepository,
        }),
        StepsModule.forApp({
          app: 'executor',
          leaseMs: env.LIFTLOCK_LEASE_MS,
          sweepMs: env.LIFTLOCK_SWEEP_MS,
          concurrency: env.LIFTLOCK_CONCURRENCY,
          queue: new RedisStepQueue({
            url: env.REDIS_URL,
            site: env.LIFTLOCK_SITE,
            concurrency: env.LIFTLOCK_CONCURRENCY,
          }),
          handlers: { useFactory: () => executorHandlers(drivers, new TextSecrets(env.secrets)) },
        }),
      ],
      controllers: [ObserveHandler],
      providers: [{ provide: DriverRegistry, useValue: drivers }],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.drivers.close();
  }
}
