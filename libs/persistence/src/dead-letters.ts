import { Inject, Injectable } from '@nestjs/common';
import type { App } from '#contracts';
import type { DeadLetter } from './dead-letter.js';
import { reportOf } from './dead-letter-report.js';
import { Outbox } from './outbox.js';
import { APP } from './tokens.js';
import { UnitOfWork } from './unit-of-work.js';

@Injectable()
export class DeadLetterRepository {
  constructor(
    private readonly work: UnitOfWork,
    private readonly outbox: Outbox,
    @Inject(APP) private readonly app: App,
  ) {}

  /** Keeps it, and tells the coordinator of it: both or neither, and once however often it comes. */
  async record(letter: DeadLetter): Promise<void> {
    await this.work.run(async (tx) => {
      const kept = await tx.query<unknown[]>(
        `INSERT INTO dead_letters (message_id, subject, payload, error, deliveries) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (message_id) DO NOTHING RETURNING message_id`,
        [
          letter.messageId,
          letter.subject,
          letter.payload,
          JSON.stringify(letter.error),
          letter.deliveries,
        ],
      );
      const report = kept.length === 0 ? undefined : reportOf(letter, this.app, new Date());
      if (report !== undefined) await this.outbox.add(tx, report);
    });
  }
}
