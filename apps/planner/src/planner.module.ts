import { Module, type DynamicModule } from '@nestjs/common';
import { systemClock, systemIds } from '#kernel';
import { Bus, BusModule, commandHandlers, queryHandlers } from '#bus';
import { DeadLetterRepository, PersistenceModule } from '#persistence';
import type { Env } from './env.js';
import { Examiner } from './examiner.js';
import { ComputePlanHandler } from './handlers/compute-plan.handler.js';
import { DeleteDocumentHandler } from './handlers/delete-document.handler.js';
import { DocumentHistoryHandler } from './handlers/document-history.handler.js';
import { EnvironmentFreezesHandler } from './handlers/environment-freezes.handler.js';
import { EnvironmentWebhooksHandler } from './handlers/environment-webhooks.handler.js';
import { GetDocumentHandler } from './handlers/get-document.handler.js';
import { GetPlanHandler } from './handlers/get-plan.handler.js';
import { InstancesWithDataHandler } from './handlers/instances-with-data.handler.js';
import { ListDocumentsHandler } from './handlers/list-documents.handler.js';
import { PreviewPlanHandler } from './handlers/preview-plan.handler.js';
import { PutDocumentHandler } from './handlers/put-document.handler.js';
import { UpgradePathsHandler } from './handlers/upgrade-paths.handler.js';
import { UsedImagesHandler } from './handlers/used-images.handler.js';
import { Observer } from './observer.js';
import { DocumentStore } from './persistence/document.store.js';
import { MIGRATIONS } from './persistence/migrations.js';
import { PlanStore } from './persistence/plan.store.js';
import { PlanningAnswers } from './planning-answers.js';
import { PlanningService } from './planning.service.js';
import { registriesOf } from './registries.js';
import { TagResolver } from './tag-resolver.js';
import { CLOCK, IDS } from './tokens.js';

@Module({})
export class PlannerModule {
  static forEnv(env: Env): DynamicModule {
    return {
      module: PlannerModule,
      imports: [
        PersistenceModule.forRoot({
          app: 'planner',
          url: env.DATABASE_URL,
          entities: [],
          migrations: MIGRATIONS,
          publisher: Bus,
        }),
        BusModule.forRoot({
          app: 'planner',
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
        DocumentStore,
        PlanStore,
        Observer,
        { provide: TagResolver, useFactory: () => new TagResolver(registriesOf(env)) },
        Examiner,
        PlanningAnswers,
        PlanningService,
      ],
      controllers: [
        ...commandHandlers<'planner'>({ 'compute-plan': ComputePlanHandler }),
        ...queryHandlers<'planner'>({
          'get-plan': GetPlanHandler,
          'preview-plan': PreviewPlanHandler,
          'delete-document': DeleteDocumentHandler,
          'document-history': DocumentHistoryHandler,
          'upgrade-paths': UpgradePathsHandler,
          'put-document': PutDocumentHandler,
          'get-document': GetDocumentHandler,
          'list-documents': ListDocumentsHandler,
          'environment-webhooks': EnvironmentWebhooksHandler,
          'environment-freezes': EnvironmentFreezesHandler,
          'used-images': UsedImagesHandler,
          'instances-with-data': InstancesWithDataHandler,
        }),
      ],
    };
  }
}
