export type { DeadLetter } from './dead-letter.js';
export { DeadLetterRepository } from './dead-letters.js';
export { Inbox } from './inbox.js';
export { openDataSource, type DataSourceOptions, type MigrationClass } from './open-data-source.js';
export { Outbox, type OutboxPublisher } from './outbox.js';
export type { OutboxMessage } from './outbox-message.js';
export { PersistenceModule, type PersistenceOptions } from './persistence.module.js';
export { UnitOfWork } from './unit-of-work.js';
