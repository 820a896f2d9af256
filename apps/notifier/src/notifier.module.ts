import { Module, type DynamicModule } from '@nestjs/common';
import { systemIds } from '#kernel';
import { Bus, BusModule } from '#bus';
import { DeadLetterRepository, PersistenceModule } from '#persistence';
import { DeliveryWorker } from './delivery.worker.js';
import { PATIENT, type DeliveryPolicy } from './domain/delivery-policy.js';
import type { Env } from './env.js';
import { EventConsumer } from './event.consumer.js';
import { DeliveryStore } from './persistence/delivery.store.js';
import { NotifierTables1700000001000 } from './persistence/tables.migration.js';
import { DELIVERY_POLICY, IDS, SECRETS } from './tokens.js';
import { UnawaitedEvents } from './unawaited-events.js';
import { WebhookDirectory } from './webhook-directory.js';
import { WebhookSender } from './webhook.sender.js';

@Module({})
export class NotifierModule {
  static forEnv(env: Env, policy: DeliveryPolicy = PATIENT): DynamicModule {
    return {
      module: NotifierModule,
      imports: [
        PersistenceModule.forRoot({
          app: 'notifier',
          url: env.DATABASE_URL,
          entities: [],
          migrations: [NotifierTables1700000001000],
          publisher: Bus,
        }),
        BusModule.forRoot({
          app: 'notifier',
          site: env.LIFTLOCK_SITE,
          url: env.NATS_URL,
          user: env.NATS_USER,
          password: env.NATS_PASSWORD,
          deadLetters: DeadLetterRepository,
        }),
      ],
      providers: [
        { provide: IDS, useValue: systemIds },
        { provide: SECRETS, useValue: env.secrets },
        { provide: DELIVERY_POLICY, useValue: policy },
        DeliveryStore,
        WebhookDirectory,
        WebhookSender,
        DeliveryWorker,
        UnawaitedEvents,
        EventConsumer,
      ],
    };
  }
}
