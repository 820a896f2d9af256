import { Module, type DynamicModule } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import { DataSource } from 'typeorm';
import type { App } from '#contracts';
import { Bus } from '#bus';
import { LiftlockError } from '#kernel';
import { HEALTH_CHECKS, HealthController, type HealthCheck } from './health.js';
import { REDACTED } from './redaction.js';
import type { ServiceEnv } from './service-env.js';

/** What every service has around its own module: logs, health, metrics. */
@Module({})
export class ServiceModule {
  static around(inner: DynamicModule, env: ServiceEnv, app: App): DynamicModule {
    return {
      module: ServiceModule,
      imports: [
        inner,
        LoggerModule.forRoot({
          // no middleware: it would stand as a route for every method; what is logged of requests is the gateway's business
          forRoutes: [],
          pinoHttp: {
            level: env.LIFTLOCK_LOG_LEVEL,
            name: app,
            redact: [...REDACTED],
            autoLogging: false,
            quietReqLogger: true,
          },
        }),
      ],
      controllers: [HealthController],
      providers: [
        {
          provide: HEALTH_CHECKS,
          inject: [DataSource, Bus],
          useFactory: (source: DataSource, bus: Bus): HealthCheck[] => [
            {
              name: 'postgres',
              check: async () => {
                await source.query('SELECT 1');
              },
            },
            {
              name: 'nats',
              check: () =>
                bus.isConnected()
                  ? Promise.resolve()
                  : Promise.reject(new LiftlockError('unavailable', 'NATS is out of reach')),
            },
          ],
        },
      ],
    };
  }
}
