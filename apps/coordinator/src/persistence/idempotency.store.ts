import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

@Injectable()
export class IdempotencyStore {
  /** Waits for a transaction that is just using the same key, so that two at once give one upgrade. */
  async find(
    tx: EntityManager,
    actor: string,
    key: string,
  ): Promise<{ upgrade: string; requestDigest: string } | undefined> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [
      `idempotency ${actor} ${key}`,
    ]);
    const rows = await tx.query<Array<{ upgrade: string; request_digest: string }>>(
      `SELECT upgrade, request_digest FROM idempotency_keys WHERE actor = $1 AND key = $2`,
      [actor, key],
    );
    const row = rows[0];
    return row === undefined
      ? undefined
      : { upgrade: row.upgrade, requestDigest: row.request_digest };
  }

  async save(
    tx: EntityManager,
    actor: string,
    key: string,
    requestDigest: string,
    upgrade: string,
    now: Date,
  ): Promise<void> {
    await tx.query(
      `INSERT INTO idempotency_keys (actor, key, request_digest, upgrade, created_at) VALUES ($1, $2, $3, $4, $5)`,
      [actor, key, requestDigest, upgrade, now],
    );
  }
}
