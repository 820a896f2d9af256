import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { BackupKey } from '../repository/backup-folder.js';
import { LISTED_COLUMNS, type BackupRow } from './backup-row.js';

/** Seconds for which whoever reads a backup back holds it without a sign of life. */
const LEASE_SECONDS = 60;
const DAY_MS = 24 * 3_600 * 1_000;

/** Who reads which backup back, how far, and what was found. */
@Injectable()
export class VerificationStore {
  /** @returns whether it is ours: false while another one reads it. What was found before holds until something else is. */
  async claim(tx: EntityManager, key: BackupKey, token: string): Promise<boolean> {
    return this.update(
      tx,
      key,
      `verify_started = now(), verify_token = $5, verify_lease = now() + interval '${LEASE_SECONDS} s', verify_bytes = 0,
       verify_finished = NULL`,
      `(verify_lease IS NULL OR verify_lease < now() OR verify_finished IS NOT NULL)`,
      [token],
    );
  }

  /** @returns whether it is still ours */
  async progress(
    tx: EntityManager,
    key: BackupKey,
    token: string,
    bytes: number,
  ): Promise<boolean> {
    return this.update(
      tx,
      key,
      `verify_bytes = $6, verify_lease = now() + interval '${LEASE_SECONDS} s'`,
      `verify_token = $5 AND verify_finished IS NULL`,
      [token, bytes],
    );
  }

  /** @param problem undefined: it is whole */
  async finish(
    tx: EntityManager,
    key: BackupKey,
    token: string,
    bytes: number,
    problem: string | undefined,
  ): Promise<boolean> {
    return this.update(
      tx,
      key,
      `verify_bytes = $6, verify_finished = now(), verify_problem = $7, verify_lease = NULL`,
      `verify_token = $5 AND verify_finished IS NULL`,
      [token, bytes, problem ?? null],
    );
  }

  /** Nothing was found out: whoever asks next begins anew. */
  async giveUp(tx: EntityManager, key: BackupKey, token: string): Promise<void> {
    await this.update(
      tx,
      key,
      `verify_lease = NULL`,
      `verify_token = $5 AND verify_finished IS NULL`,
      [token],
    );
  }

  /** One backup of a site is read back at a time, whoever of its replicas does it. @returns whether it is our turn */
  async takeTurn(
    tx: EntityManager,
    site: string,
    holder: string,
    leaseMs: number,
  ): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `INSERT INTO verify_turns (site, holder, lease) VALUES ($1, $2, now() + $3 * interval '1 ms')
       ON CONFLICT (site) DO UPDATE SET holder = $2, lease = now() + $3 * interval '1 ms'
         WHERE verify_turns.holder = $2 OR verify_turns.lease <= now()
       RETURNING site`,
      [site, holder, leaseMs],
    );
    return rows.length === 1;
  }

  async endTurn(db: EntityManager, site: string, holder: string): Promise<void> {
    await db.query(`DELETE FROM verify_turns WHERE site = $1 AND holder = $2`, [site, holder]);
  }

  /** Not read back for so long, and by nobody now; the one that waits for the longest time first. What was not read to its end is tried again after a day. */
  async due(db: EntityManager, everyMs: number): Promise<BackupRow[]> {
    const since = `coalesce(verify_finished, verify_started - greatest($1::float8 - ${DAY_MS}, 0) * interval '1 ms', created_at)`;
    return db.query<BackupRow[]>(
      `SELECT ${LISTED_COLUMNS} FROM backups
       WHERE ${since} <= now() - $1 * interval '1 ms' AND (verify_lease IS NULL OR verify_lease < now())
       ORDER BY ${since}, upgrade, backup`,
      [everyMs],
    );
  }

  private async update(
    tx: EntityManager,
    { environment, application, upgrade, backup }: BackupKey,
    set: string,
    where: string,
    more: readonly unknown[],
  ): Promise<boolean> {
    const [, changed] = await tx.query<[unknown[], number]>(
      `UPDATE backups SET ${set}
       WHERE environment = $1 AND application = $2 AND upgrade = $3 AND backup = $4 AND ${where}`,
      [environment, application, upgrade, backup, ...more],
    );
    return changed === 1;
  }
}
