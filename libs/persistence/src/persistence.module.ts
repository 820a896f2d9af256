import {
  Global,
  Inject,
  Module,
  type DynamicModule,
  type Abstract,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CommittedMessages } from './committed-messages.js';
import { DeadLetterRepository } from './dead-letters.js';
import { Inbox } from './inbox.js';
import { openDataSource, type DataSourceOptions } from './open-data-source.js';
import { Outbox, type OutboxPublisher } from './outbox.js';
import { Relay } from './relay.js';
import { APP, OUTBOX_PUBLISHER } from './tokens.js';
import { UnitOfWork } from './unit-of-work.js';

export interface PersistenceOptions extends DataSourceOptions {
  /** What brings the outbox's messages out: a provider of a global module. */
  readonly publisher: Abstract<OutboxPublisher>;
}

/** PostgreSQL for one service: its schema, transactions, outbox with its relay, inbox and dead letters. */
@Global()
@Module({})
export class PersistenceModule implements OnApplicationShutdown {
  constructor(@Inject(DataSource) private readonly source: DataSource) {}

  static forRoot(options: PersistenceOptions): DynamicModule {
    return {
      module: PersistenceModule,
      providers: [
        { provide: DataSource, useFactory: () => openDataSource(options) },
        { provide: APP, useValue: options.app },
        { provide: OUTBOX_PUBLISHER, useExisting: options.publisher },
        CommittedMessages,
        UnitOfWork,
        Outbox,
        Inbox,
        DeadLetterRepository,
        Relay,
      ],
      exports: [DataSource, UnitOfWork, Outbox, Inbox, DeadLetterRepository],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.source.isInitialized) await this.source.destroy();
  }
}
