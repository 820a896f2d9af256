import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { TimerMessage } from '#saga';

/** Not for the engine: another try at admission, and a look at the maintenance window. */
export type OwnMessage = { readonly type: 'admit-again' } | { readonly type: 'window-due' };

/** Their types: whatever asks for admission or a window may have to wait for the planner's answer. */
const OWN: ReadonlyArray<OwnMessage['type']> = ['admit-again', 'window-due'];

/** What a timer gives when it is due. */
export type DueMessage = TimerMessage | OwnMessage;

export interface NewTimer {
  readonly dueAt: Date;
  readonly message: DueMessage;
}

export interface DueTimer {
  readonly upgrade: string;
  readonly key: string;
  readonly message: DueMessage;
}

@Injectable()
export class TimerStore {
  /** Of several with one key the last one counts. */
  async set(tx: EntityManager, upgrade: string, timers: readonly NewTimer[]): Promise<void> {
    const last = new Map(timers.map((timer) => [keyOf(timer.message), timer]));
    if (last.size === 0) return;
    await tx.query(
      `INSERT INTO timers (upgrade, key, due_at, message)
       SELECT $1, key, due_at, message FROM unnest($2::text[], $3::timestamptz[], $4::jsonb[]) AS given (key, due_at, message)
       ON CONFLICT (upgrade, key) DO UPDATE SET due_at = excluded.due_at, message = excluded.message`,
      [
        upgrade,
        [...last.keys()],
        [...last.values()].map(({ dueAt }) => dueAt.toISOString()),
        [...last.values()].map(({ message }) => JSON.stringify(message)),
      ],
    );
  }

  /** Due timers of the engine, soonest first. Deadlines only where asked for: their time does not run while the broker is out of reach. */
  async due(
    tx: EntityManager,
    now: Date,
    withDeadlines: boolean,
    limit: number,
  ): Promise<DueTimer[]> {
    return tx.query<DueTimer[]>(
      `SELECT upgrade, key, message FROM timers
       WHERE due_at <= $1 AND message ->> 'type' <> ALL ($2::text[]) ORDER BY due_at LIMIT $3`,
      [now, [...OWN, ...(withDeadlines ? [] : ['deadline'])], limit],
    );
  }

  /** Due timers that are none of the engine's: apart, so that no deadline waits behind a planner that does not answer. */
  async ownDue(tx: EntityManager, now: Date, limit: number): Promise<DueTimer[]> {
    return tx.query<DueTimer[]>(
      `SELECT upgrade, key, message FROM timers
       WHERE due_at <= $1 AND message ->> 'type' = ANY ($2::text[]) ORDER BY due_at LIMIT $3`,
      [now, OWN, limit],
    );
  }

  /**
   * Only who took it may act on it.
   * @returns whether it was still there and due: a later one of the same key may have taken its place since it was read.
   */
  async take(tx: EntityManager, timer: DueTimer, now: Date): Promise<boolean> {
    const result = await tx.query<[unknown[], number]>(
      `DELETE FROM timers WHERE upgrade = $1 AND key = $2 AND due_at <= $3`,
      [timer.upgrade, timer.key, now],
    );
    return result[1] === 1;
  }

  async clear(tx: EntityManager, upgrade: string): Promise<void> {
    await tx.query(`DELETE FROM timers WHERE upgrade = $1`, [upgrade]);
  }

  /** No deadline strikes before `notBefore`: what was cut off gets the time to answer. */
  async postponeDeadlines(tx: EntityManager, notBefore: Date): Promise<void> {
    await tx.query(
      `UPDATE timers SET due_at = $1 WHERE message ->> 'type' = 'deadline' AND due_at < $1`,
      [notBefore],
    );
  }
}

/** One timer of a kind at a time for each step: a later one takes its place. */
function keyOf(message: DueMessage): string {
  switch (message.type) {
    case 'retry-due':
    case 'deadline':
      return `${message.type} ${message.stepId}`;
    default:
      return message.type;
  }
}
