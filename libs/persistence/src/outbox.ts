import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { CommittedMessages } from './committed-messages.js';
import type { OutboxMessage } from './outbox-message.js';

/** Who brings the outbox's messages out. @throws to have it tried again. */
export interface OutboxPublisher {
  publish(message: {
    readonly subject: string;
    readonly id: string;
    readonly payload: string;
  }): Promise<void>;
}

@Injectable()
export class Outbox {
  constructor(private readonly messages: CommittedMessages) {}

  /** To be called in a transaction of `UnitOfWork.run`. An id that is there already is not added again. */
  async add(tx: EntityManager, ...messages: readonly OutboxMessage[]): Promise<void> {
    for (const message of await this.insert(tx, messages)) this.messages.note(tx, message);
  }

  /** Messages that nothing else is committed with. To be called in `UnitOfWork.single`. */
  async addAlone(db: EntityManager, ...messages: readonly OutboxMessage[]): Promise<void> {
    assertAlone(db);
    this.messages.left(await this.insert(db, messages));
  }

  /** @returns those that were not there before. */
  private async insert(
    db: EntityManager,
    messages: readonly OutboxMessage[],
  ): Promise<OutboxMessage[]> {
    if (messages.length === 0) return [];
    const rows = await db.query<Array<{ message_id: string }>>(insertion(1), columns(messages));
    const added = new Set(rows.map((row) => row.message_id));
    return messages.filter(({ id }) => added.has(id));
  }

  /**
   * A statement that changes rows, and the messages that leave if it changed any: both or neither, as one statement without a
   * transaction around it, which costs a quarter of the round trips. To be called in `UnitOfWork.single`.
   * @returns whether any row was changed.
   */
  async addIfChanged(
    db: EntityManager,
    change: { readonly sql: string; readonly parameters: readonly unknown[] },
    messages: readonly OutboxMessage[],
  ): Promise<boolean> {
    assertAlone(db);
    const [row] = await db.query<Array<{ changed: boolean; added: string[] }>>(
      `WITH change AS (${change.sql} RETURNING 1),
         added AS (${insertion(change.parameters.length + 1, 'WHERE EXISTS (SELECT FROM change)')})
       SELECT EXISTS (SELECT FROM change) AS changed, ARRAY(SELECT message_id FROM added) AS added`,
      [...change.parameters, ...columns(messages)],
    );
    const added = new Set(row?.added);
    this.messages.left(messages.filter(({ id }) => added.has(id)));
    return row?.changed === true;
  }

  /** Marks what was sent as unsent, under the old ids: for a broker that came back empty. */
  async resend(tx: EntityManager, where: { readonly subjectPrefix: string }): Promise<void> {
    await tx.query(
      `UPDATE outbox SET sent_at = NULL WHERE sent_at IS NOT NULL AND starts_with(subject, $1)`,
      [where.subjectPrefix],
    );
  }
}

/** What leaves at once would leave before another transaction around it is committed. */
function assertAlone(db: EntityManager): void {
  if (db.queryRunner !== undefined)
    throw new Error('there is a transaction: its messages go with Outbox.add');
}

/** @param first number of the first of its four parameters */
function insertion(first: number, where = ''): string {
  const arrays = [0, 1, 2, 3].map((n) => `$${first + n}::text[]`).join(', ');
  return `INSERT INTO outbox (message_id, subject, payload, order_key)
    SELECT message_id, subject, payload, order_key
    FROM unnest(${arrays}) WITH ORDINALITY AS given (message_id, subject, payload, order_key, place)
    ${where}
    ORDER BY place
    ON CONFLICT (message_id) DO NOTHING RETURNING message_id`;
}

function columns(messages: readonly OutboxMessage[]): unknown[] {
  return [
    messages.map(({ id }) => id),
    messages.map(({ subject }) => subject),
    messages.map(({ payload }) => payload),
    messages.map(({ orderKey }) => orderKey ?? null),
  ];
}
