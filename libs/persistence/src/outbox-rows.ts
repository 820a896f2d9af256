import type { DataSource } from 'typeorm';

/** Rows that one look takes. */
export const BATCH = 200;
/**
 * Milliseconds for which a message without an order key is left to the process that committed it; after that it counts as left
 * behind. Too short is harmless: it is then sent twice under one id.
 */
const OWN_PROCESS_MS = 2_000;
/** Rows outlive the broker's acknowledgement: it may yet lose what it acknowledged. */
const KEEP_SENT = '24 hours';
/** Longer than any broker keeps a command. */
const KEEP_INBOX = '7 days';

const WAITING = `sent_at IS NULL AND (order_key IS NOT NULL OR created_at < now() - interval '${OWN_PROCESS_MS} milliseconds')`;

const KEY = `coalesce('=' || order_key, '#' || message_id)`;

export interface OutboxRow {
  readonly message_id: string;
  readonly subject: string;
  readonly payload: string;
  /** What it waits behind: its order key, or itself. */
  readonly key: string;
}

/** The outbox as the relay sees it. */
export class OutboxRows {
  constructor(private readonly source: DataSource) {}

  /** The idle relay's only question: one statement, one index. */
  async areWaiting(): Promise<boolean> {
    const [row] = await this.source.query<Array<{ waiting: boolean }>>(
      `SELECT EXISTS (SELECT 1 FROM outbox WHERE ${WAITING}) AS waiting`,
    );
    return row?.waiting === true;
  }

  /**
   * Hands over the oldest rows, unless another relay is at it. The lock is the transaction's, and ends with it however it ends.
   * @param held keys whose rows are left out
   */
  async withLock<T>(
    held: readonly string[],
    work: (
      rows: readonly OutboxRow[],
      mark: (ids: readonly string[]) => Promise<void>,
    ) => Promise<T>,
  ): Promise<T | 'busy'> {
    return this.source.transaction(async (tx) => {
      // two statements that go out together: what the one that takes the lock sees would be from before the lock
      const [[lock], rows] = await Promise.all([
        tx.query<Array<{ mine: boolean }>>(
          `SELECT pg_try_advisory_xact_lock(hashtextextended('relay ' || current_schema(), 0)) AS mine`,
        ),
        tx.query<OutboxRow[]>(
          `SELECT message_id, subject, payload, ${KEY} AS key FROM outbox WHERE ${WAITING} AND ${KEY} <> ALL ($2::text[]) ORDER BY id LIMIT $1`,
          [BATCH, held],
        ),
      ]);
      if (lock?.mine !== true) return 'busy';
      return work(rows, async (ids) => {
        if (ids.length > 0) await tx.query(MARK, [ids]);
      });
    });
  }

  async mark(ids: readonly string[]): Promise<void> {
    await this.source.query(MARK, [ids]);
  }

  async prune(): Promise<void> {
    await this.source.query(`DELETE FROM outbox WHERE sent_at < now() - interval '${KEEP_SENT}'`);
    await this.source.query(
      `DELETE FROM inbox WHERE accepted_at < now() - interval '${KEEP_INBOX}'`,
    );
  }
}

/** Without waiting for the disk: a mark that a crash loses means that the message is sent again under the same id. */
const MARK = `
  WITH quick AS (SELECT set_config('synchronous_commit', 'off', true))
  UPDATE outbox SET sent_at = now() FROM quick WHERE message_id = ANY ($1::text[])`;
