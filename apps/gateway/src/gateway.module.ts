import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { systemClock, systemIds } from '#kernel';
import { Bus, BusModule } from '#bus';
import { DeadLetterRepository, PersistenceModule } from '#persistence';
import { AuditStore } from './auth/audit.store.js';
import { RoleGuard } from './auth/role.guard.js';
import { TokenService } from './auth/token.service.js';
import { TokenStore } from './auth/token.store.js';
import { TokensController } from './auth/tokens.controller.js';
import { documentsController } from './documents/documents.controller.js';
import type { Env } from './env.js';
import { AboutController } from './http/about.controller.js';
import { ProblemFilter } from './http/problem.filter.js';
import { RequestGate } from './http/request-gate.js';
import { RouteAssert } from './http/route-assert.js';
import { GatewayTables1700000001000 } from './persistence/tables.migration.js';
import { BOOTSTRAP_TOKEN, CLOCK, IDS, MAX_STREAMS } from './tokens.js';
import { ObservationsController } from './documents/observations.controller.js';
import { PathsController } from './documents/paths.controller.js';
import { BackupsController } from './upgrades/backups.controller.js';
import { EventFeed } from './upgrades/event-feed.js';
import { EventWakes } from './upgrades/event-wakes.js';
import { EventsController } from './upgrades/events.controller.js';
import { LogsController } from './upgrades/logs.controller.js';
import { MirroredController } from './upgrades/mirrored.controller.js';
import { PlanPages } from './upgrades/plan-pages.js';
import { PlansController } from './upgrades/plans.controller.js';
import { ProgressFeed } from './upgrades/progress-feed.js';
import { References } from './upgrades/references.js';
import { UpgradesController } from './upgrades/upgrades.controller.js';

@Module({})
export class GatewayModule {
  static forEnv(env: Env): DynamicModule {
    return {
      module: GatewayModule,
      imports: [
        PersistenceModule.forRoot({
          app: 'gateway',
          url: env.DATABASE_URL,
          entities: [],
          migrations: [GatewayTables1700000001000],
          publisher: Bus,
        }),
        BusModule.forRoot({
          app: 'gateway',
          site: env.LIFTLOCK_SITE,
          url: env.NATS_URL,
          user: env.NATS_USER,
          password: env.NATS_PASSWORD,
          deadLetters: DeadLetterRepository,
        }),
      ],
      controllers: [
        UpgradesController,
        EventsController,
        PlansController,
        LogsController,
        BackupsController,
        MirroredController,
        documentsController('environments'),
        documentsController('applications'),
        documentsController('releases'),
        documentsController('upgradechains'),
        documentsController('servicetemplatechains'),
        PathsController,
        ObservationsController,
        TokensController,
        AboutController,
      ],
      providers: [
        { provide: CLOCK, useValue: systemClock },
        { provide: IDS, useValue: systemIds },
        { provide: BOOTSTRAP_TOKEN, useValue: env.LIFTLOCK_BOOTSTRAP_TOKEN },
        { provide: MAX_STREAMS, useValue: env.LIFTLOCK_MAX_STREAMS },
        TokenStore,
        TokenService,
        AuditStore,
        ProblemFilter,
        RequestGate,
        RouteAssert,
        References,
        PlanPages,
        EventWakes,
        EventFeed,
        ProgressFeed,
        { provide: APP_FILTER, useExisting: ProblemFilter },
        { provide: APP_GUARD, useClass: RoleGuard },
      ],
    };
  }

  /** Puts the gate before every route, those of #service included. */
  static configure(app: NestExpressApplication): void {
    app.use(app.get(RequestGate).handle);
  }
}
