import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

@Injectable()
export class Inbox {
  /** @returns false when this consumer has accepted the message before: then it has had its effect, in that transaction. */
  async accept(tx: EntityManager, messageId: string, consumer: string): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `INSERT INTO inbox (message_id, consumer) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING message_id`,
      [messageId, consumer],
    );
    return rows.length === 1;
  }

  /** @returns those that this consumer has not accepted before. */
  async acceptAll(
    tx: EntityManager,
    messageIds: readonly string[],
    consumer: string,
  ): Promise<ReadonlySet<string>> {
    const rows = await tx.query<Array<{ message_id: string }>>(
      `INSERT INTO inbox (message_id, consumer) SELECT message_id, $2 FROM unnest($1::text[]) AS given (message_id) ORDER BY message_id
       ON CONFLICT DO NOTHING RETURNING message_id`,
      [messageIds, consumer],
    );
    return new Set(rows.map((row) => row.message_id));
  }
}
