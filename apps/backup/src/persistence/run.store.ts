import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { backupRun, type BackupRun } from '#contracts';

export interface AskedRun {
  readonly run: BackupRun;
  readonly site: string;
  readonly idempotencyKey: string | undefined;
  readonly requestDigest: string;
}

interface RunRow {
  readonly run: unknown;
}

/** What people asked for, who is at it, and how far it is. */
@Injectable()
export class RunStore {
  /** @returns whether it is new: false where the actor's key is known */
  async add(
    tx: EntityManager,
    { run, site, idempotencyKey, requestDigest }: AskedRun,
    holder: string,
    leaseMs: number,
  ): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `INSERT INTO runs (id, site, state, run, actor, idempotency_key, request_digest, holder, lease)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9 * interval '1 ms')
       ON CONFLICT (actor, idempotency_key) DO NOTHING RETURNING id`,
      [
        ...[run.id, site, run.state, JSON.stringify(run), run.actor],
        ...[idempotencyKey ?? null, requestDigest, holder, leaseMs],
      ],
    );
    return rows.length === 1;
  }

  async byKey(
    db: EntityManager,
    actor: string,
    key: string,
  ): Promise<{ run: BackupRun; requestDigest: string } | undefined> {
    const [row] = await db.query<Array<RunRow & { request_digest: string }>>(
      `SELECT run, request_digest FROM runs WHERE actor = $1 AND idempotency_key = $2`,
      [actor, key],
    );
    return row && { run: backupRun.parse(row.run), requestDigest: row.request_digest };
  }

  async find(db: EntityManager, id: string): Promise<BackupRun | undefined> {
    const [row] = await db.query<RunRow[]>(`SELECT run FROM runs WHERE id = $1`, [id]);
    return row && backupRun.parse(row.run);
  }

  /** A sign of life, with how far it is. @returns whether it is still ours */
  async tell(db: EntityManager, run: BackupRun, holder: string, leaseMs: number): Promise<boolean> {
    const [, changed] = await db.query<[unknown[], number]>(
      `UPDATE runs SET state = $2, run = $3, lease = now() + $5 * interval '1 ms' WHERE id = $1 AND holder = $4`,
      [run.id, run.state, JSON.stringify(run), holder, leaseMs],
    );
    return changed === 1;
  }

  /** Nothing was begun: as if it had never been asked for. */
  async forget(db: EntityManager, id: string, holder: string): Promise<void> {
    await db.query(`DELETE FROM runs WHERE id = $1 AND holder = $2`, [id, holder]);
  }

  async wasLetGo(db: EntityManager, id: string): Promise<void> {
    await db.query(`UPDATE runs SET holds = false WHERE id = $1`, [id]);
  }

  /** Those that nobody is at any more, and whose instances all run again. */
  async takeAbandoned(
    tx: EntityManager,
    site: string,
    holder: string,
    leaseMs: number,
  ): Promise<BackupRun[]> {
    const [rows] = await tx.query<[RunRow[], number]>(
      `UPDATE runs SET holder = $2, lease = now() + $3 * interval '1 ms'
       WHERE id IN (SELECT id FROM runs WHERE holds AND site = $1 AND lease <= now()
                      AND NOT EXISTS (SELECT 1 FROM quiets WHERE quiets.upgrade = runs.id)
                    ORDER BY id FOR UPDATE SKIP LOCKED)
       RETURNING run`,
      [site, holder, leaseMs],
    );
    return rows.map(({ run }) => backupRun.parse(run));
  }
}
