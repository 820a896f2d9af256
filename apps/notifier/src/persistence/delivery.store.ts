import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { IdSource } from '#kernel';
import { IDS } from '../tokens.js';

export interface NewDelivery {
  readonly eventId: string;
  readonly environment: string;
  readonly type: string;
  readonly url: string;
  /** Reference to the secret: `env:LIFTLOCK_SECRET_…` */
  readonly secret: string;
  readonly body: string;
}

/** A delivery that this process may try, as long as its lease holds. */
export interface ClaimedDelivery extends NewDelivery {
  readonly id: string;
  /** This one included. */
  readonly attempts: number;
  readonly lease: string;
}

export type Ending =
  | { readonly state: 'delivered'; readonly status: number }
  | { readonly state: 'failed'; readonly status: number | undefined; readonly error: string }
  | {
      readonly state: 'pending';
      readonly status: number | undefined;
      readonly error: string;
      readonly againInMs: number;
    };

interface ClaimedRow {
  id: string;
  event_id: string;
  environment: string;
  type: string;
  url: string;
  secret: string;
  body: string;
  attempts: number;
}

/** Deliveries, those that are over included: they are the history. All times are the database's: replicas' clocks may differ. */
@Injectable()
export class DeliveryStore {
  constructor(
    private readonly source: DataSource,
    @Inject(IDS) private readonly ids: IdSource,
  ) {}

  async add(tx: EntityManager, delivery: NewDelivery): Promise<void> {
    await tx.query(
      `INSERT INTO deliveries (event_id, environment, type, url, secret, body) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (event_id, url) DO NOTHING`,
      [
        delivery.eventId,
        delivery.environment,
        delivery.type,
        delivery.url,
        delivery.secret,
        delivery.body,
      ],
    );
  }

  /** The one that is due longest, of those whose receiver is not busy; it counts as a try at once, so that crashes are bounded too. */
  async claim(leaseMs: number, busyUrls: readonly string[]): Promise<ClaimedDelivery | undefined> {
    const lease = this.ids.next('own');
    const [rows] = await this.source.query<[ClaimedRow[], number]>(
      `UPDATE deliveries SET lease = $1, lease_until = now() + $2 * interval '1 millisecond', attempts = attempts + 1
       WHERE id = (
         SELECT id FROM deliveries
         WHERE state = 'pending' AND next_try_at <= now() AND (lease_until IS NULL OR lease_until < now()) AND url <> ALL ($3::text[])
         ORDER BY next_try_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING id, event_id, environment, type, url, secret, body, attempts`,
      [lease, leaseMs, busyUrls],
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    const { event_id: eventId, ...rest } = row;
    return { ...rest, eventId, lease };
  }

  /** @returns whether the claim still held; else another replica has the delivery. */
  async end({ id, lease }: ClaimedDelivery, ending: Ending): Promise<boolean> {
    const [, count] = await this.source.query<[unknown[], number]>(
      `UPDATE deliveries SET state = $3::text, last_status = $4, last_error = $5, lease = NULL, lease_until = NULL,
         next_try_at = now() + $6 * interval '1 millisecond',
         ended_at = CASE WHEN $3::text = 'pending' THEN NULL ELSE now() END
       WHERE id = $1 AND lease = $2 AND state = 'pending'`,
      [
        id,
        lease,
        ending.state,
        ending.status ?? null,
        'error' in ending ? ending.error : null,
        ending.state === 'pending' ? ending.againInMs : 0,
      ],
    );
    return count === 1;
  }

  /** History is kept longer than the event stream keeps events, so that none is sent again. */
  async prune(): Promise<void> {
    await this.source.query(`DELETE FROM deliveries WHERE ended_at < now() - interval '30 days'`);
  }
}
