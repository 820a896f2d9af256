import { Module, type DynamicModule } from '@nestjs/common';
import { systemClock, systemIds } from '#kernel';
import { Bus, BusModule, commandHandlers, queryHandlers } from '#bus';
import { DeadLetterRepository, PersistenceModule } from '#persistence';
import { assertSound } from '#saga';
import { AdmissionService } from './admission.service.js';
import { DeadLetterNews } from './dead-letter.news.js';
import type { Env } from './env.js';
import { FreezeAwareWork } from './freeze-aware.work.js';
import { FreezeReader } from './freeze.reader.js';
import { ActOnUpgradeHandler } from './handlers/act-on-upgrade.handler.js';
import { CreateUpgradeHandler } from './handlers/create-upgrade.handler.js';
import { UpgradeNews } from './upgrade.news.js';
import { BackupFoundDamagedHandler } from './handlers/backup-found-damaged.handler.js';
import { DeadLetterKeptHandler } from './handlers/dead-letter-kept.handler.js';
import { EndsOfUpgradesHandler } from './handlers/ends-of-upgrades.handler.js';
import { EstimatePlanHandler } from './handlers/estimate-plan.handler.js';
import { GetUpgradeHandler } from './handlers/get-upgrade.handler.js';
import { HoldInstancesHandler } from './handlers/hold-instances.handler.js';
import { LetGoInstancesHandler } from './handlers/let-go-instances.handler.js';
import { HeldImagesHandler } from './handlers/held-images.handler.js';
import { ListEventsHandler } from './handlers/list-events.handler.js';
import { ListUpgradesHandler } from './handlers/list-upgrades.handler.js';
import { PlanComputedHandler } from './handlers/plan-computed.handler.js';
import { StepFinishedHandler } from './handlers/step-finished.handler.js';
import { StepStartedHandler } from './handlers/step-started.handler.js';
import { DispatchStore } from './persistence/dispatch.store.js';
import { DurationStore } from './persistence/duration.store.js';
import { IdempotencyStore } from './persistence/idempotency.store.js';
import { ImageHolderStore } from './persistence/image-holder.store.js';
import { LockStore } from './persistence/lock.store.js';
import { MIGRATIONS } from './persistence/migrations.js';
import { PlanCache } from './persistence/plan.cache.js';
import { PromotionStore } from './persistence/promotion.store.js';
import { RefillStore } from './persistence/refill.store.js';
import { TimerStore } from './persistence/timer.store.js';
import { UpgradeStore } from './persistence/upgrade.store.js';
import { PlanReader } from './plan.reader.js';
import { PromotionService } from './promotion.service.js';
import { SagaOutput } from './saga-output.js';
import { SagaService } from './saga.service.js';
import { Resender } from './resender.js';
import { Sweeper } from './sweeper.js';
import { CLOCK, IDS, SWEEP_MS } from './tokens.js';
import { UpgradePlaces } from './upgrade-places.js';
import { UpgradeService } from './upgrade.service.js';

@Module({})
export class CoordinatorModule {
  static forEnv(env: Env): DynamicModule {
    // a table that does not hold together is found before the first upgrade meets it
    assertSound();
    return {
      module: CoordinatorModule,
      imports: [
        PersistenceModule.forRoot({
          app: 'coordinator',
          url: env.DATABASE_URL,
          entities: [],
          migrations: MIGRATIONS,
          publisher: Bus,
        }),
        BusModule.forRoot({
          app: 'coordinator',
          site: env.LIFTLOCK_SITE,
          url: env.NATS_URL,
          user: env.NATS_USER,
          password: env.NATS_PASSWORD,
          deadLetters: DeadLetterRepository,
        }),
      ],
      providers: [
        { provide: CLOCK, useValue: systemClock },
        { provide: IDS, useValue: systemIds },
        { provide: SWEEP_MS, useValue: env.LIFTLOCK_SWEEP_MS },
        UpgradeStore,
        PlanCache,
        LockStore,
        TimerStore,
        DispatchStore,
        DurationStore,
        IdempotencyStore,
        ImageHolderStore,
        RefillStore,
        PlanReader,
        PromotionStore,
        PromotionService,
        FreezeReader,
        FreezeAwareWork,
        AdmissionService,
        SagaOutput,
        SagaService,
        UpgradePlaces,
        UpgradeService,
        UpgradeNews,
        DeadLetterNews,
        Resender,
        Sweeper,
      ],
      controllers: [
        ...commandHandlers<'coordinator'>({
          'plan-computed': PlanComputedHandler,
          'step-started': StepStartedHandler,
          'step-finished': StepFinishedHandler,
          'dead-letter-kept': DeadLetterKeptHandler,
          'backup-found-damaged': BackupFoundDamagedHandler,
        }),
        ...queryHandlers<'coordinator'>({
          'create-upgrade': CreateUpgradeHandler,
          'get-upgrade': GetUpgradeHandler,
          'estimate-plan': EstimatePlanHandler,
          'list-upgrades': ListUpgradesHandler,
          'list-events': ListEventsHandler,
          'act-on-upgrade': ActOnUpgradeHandler,
          'held-images': HeldImagesHandler,
          'ends-of-upgrades': EndsOfUpgradesHandler,
          'hold-instances': HoldInstancesHandler,
          'let-go-instances': LetGoInstancesHandler,
        }),
      ],
    };
  }
}
