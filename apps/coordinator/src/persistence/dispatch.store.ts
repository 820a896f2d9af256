import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { CommandName } from '#contracts';
import type { Dispatch } from '../domain/dispatch.js';

export interface OpenDispatch extends Dispatch {
  readonly upgrade: string;
  readonly sends: number;
}

export interface SettledStep {
  readonly stepId: string;
  readonly token: number;
}

interface DispatchRow {
  upgrade: string;
  key: string;
  token: number;
  subject: string;
  name: CommandName;
  data: Dispatch['data'];
  sends: number;
}

/** Commands without an answer. The sweep sends them again from here. */
@Injectable()
export class DispatchStore {
  /** Of several with one key the last one counts. */
  async open(
    tx: EntityManager,
    upgrade: string,
    dispatches: readonly Dispatch[],
    nextSendAt: Date,
  ): Promise<void> {
    const last = [...new Map(dispatches.map((dispatch) => [dispatch.key, dispatch])).values()];
    if (last.length === 0) return;
    await tx.query(
      `INSERT INTO dispatches (upgrade, key, token, subject, name, data, next_send_at)
       SELECT $1, key, token, subject, name, data, $7
       FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::jsonb[]) AS given (key, token, subject, name, data)
       ON CONFLICT (upgrade, key) DO UPDATE SET token = excluded.token, subject = excluded.subject, name = excluded.name,
         data = excluded.data, sends = 1, next_send_at = excluded.next_send_at`,
      [
        upgrade,
        last.map(({ key }) => key),
        last.map(({ token }) => token),
        last.map(({ subject }) => subject),
        last.map(({ name }) => name),
        last.map(({ data }) => JSON.stringify(data)),
        nextSendAt,
      ],
    );
  }

  async answered(tx: EntityManager, upgrade: string, key: string, token: number): Promise<void> {
    await tx.query(`DELETE FROM dispatches WHERE upgrade = $1 AND key = $2 AND token <= $3`, [
      upgrade,
      key,
      token,
    ]);
  }

  /** As `answered`, and the steps' deadlines go, too. */
  async settled(tx: EntityManager, upgrade: string, steps: readonly SettledStep[]): Promise<void> {
    if (steps.length === 0) return;
    await tx.query(
      `WITH given AS (SELECT id, token FROM unnest($2::text[], $3::int[]) AS step (id, token)),
         deadlines AS (DELETE FROM timers USING given WHERE upgrade = $1 AND key = 'deadline ' || given.id)
       DELETE FROM dispatches USING given
       WHERE upgrade = $1 AND key = given.id AND dispatches.token <= given.token`,
      [upgrade, steps.map(({ stepId }) => stepId), steps.map(({ token }) => token)],
    );
  }

  async clear(tx: EntityManager, upgrade: string): Promise<void> {
    await tx.query(`DELETE FROM dispatches WHERE upgrade = $1`, [upgrade]);
  }

  /** Held for the transaction, so that two sweepers do not send the same. */
  async overdue(tx: EntityManager, now: Date, limit: number): Promise<OpenDispatch[]> {
    return tx.query<DispatchRow[]>(
      `SELECT upgrade, key, token, subject, name, data, sends FROM dispatches
       WHERE next_send_at <= $1 ORDER BY next_send_at LIMIT $2 FOR UPDATE SKIP LOCKED`,
      [now, limit],
    );
  }

  async sentAgain(tx: EntityManager, dispatch: OpenDispatch, nextSendAt: Date): Promise<void> {
    await tx.query(
      `UPDATE dispatches SET sends = sends + 1, next_send_at = $4 WHERE upgrade = $1 AND key = $2 AND token = $3`,
      [dispatch.upgrade, dispatch.key, dispatch.token, nextSendAt],
    );
  }
}
