import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { BackupKeyData, DataEngine, QueryData } from '#contracts';
import type { StoredManifest } from '../domain/manifest.js';
import type { Forerunner } from '../domain/room.js';
import type { ApplicationKey, BackupKey } from '../repository/backup-key.js';
import { LISTED_COLUMNS, type BackupRow } from './backup-row.js';

const keyOf = (key: BackupKey): string[] => [
  key.environment,
  key.application,
  key.upgrade,
  key.backup,
];

@Injectable()
export class BackupStore {
  /**
   * Lists a backup that is whole in the repository; again changes nothing.
   * @param verified it was just read back
   */
  async save(
    tx: EntityManager,
    manifest: StoredManifest,
    location: string,
    verified?: 'verified',
  ): Promise<void> {
    const { source, archive } = manifest;
    await tx.query(
      `INSERT INTO backups (environment, application, backup, upgrade, step_id, instance, target, container, location,
         created_at, files, bytes, archive_bytes, archive_sha256, manifest_digest, consistency,
         space_bytes, fuzzy, restic_snapshot,
         verify_started, verify_finished, verify_bytes)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, CASE WHEN $20 THEN now() END, CASE WHEN $20 THEN now() END, $21) ON CONFLICT DO NOTHING`,
      [
        ...[manifest.environment, manifest.application, manifest.backup, manifest.upgrade],
        ...[manifest.stepId, manifest.instance, source.target.name, source.container, location],
        ...[manifest.createdAt, manifest.files, manifest.bytes, archive.bytes, archive.sha256],
        ...[manifest.digest, manifest.consistency, manifest.spaceBytes ?? null],
        ...[manifest.fuzzy?.entries ?? null, archive.restic?.snapshot ?? null],
        ...[verified !== undefined, verified === undefined ? 0 : archive.bytes],
      ],
    );
  }

  async digestOf(tx: EntityManager, key: BackupKey): Promise<string | undefined> {
    const rows = await tx.query<Array<{ manifest_digest: string }>>(
      `SELECT manifest_digest FROM backups WHERE environment = $1 AND application = $2 AND upgrade = $3 AND backup = $4`,
      keyOf(key),
    );
    return rows[0]?.manifest_digest;
  }

  /** From now on the data is neither as it was nor as it is to be. */
  async markIncomplete(tx: EntityManager, key: BackupKey): Promise<void> {
    await tx.query(
      `UPDATE backups SET incomplete_since = coalesce(incomplete_since, now())
       WHERE environment = $1 AND application = $2 AND upgrade = $3 AND backup = $4`,
      keyOf(key),
    );
  }

  async markRestored(tx: EntityManager, key: BackupKey): Promise<void> {
    await tx.query(
      `UPDATE backups SET incomplete_since = NULL, restored_at = now()
       WHERE environment = $1 AND application = $2 AND upgrade = $3 AND backup = $4`,
      keyOf(key),
    );
  }

  /** The backups whose restore into this container's data was begun and not ended. */
  async incomplete(
    tx: EntityManager,
    at: { readonly environment: string; readonly target: string; readonly container: string },
  ): Promise<BackupKey[]> {
    return tx.query<BackupKey[]>(
      `SELECT environment, application, upgrade, backup FROM backups
       WHERE environment = $1 AND target = $2 AND container = $3 AND incomplete_since IS NOT NULL
       ORDER BY upgrade, backup`,
      [at.environment, at.target, at.container],
    );
  }

  /** How well the data of a container packed when an engine backed it up last. */
  async lastPacked(
    tx: EntityManager,
    at: { readonly environment: string; readonly target: string; readonly container: string },
    engine: DataEngine,
  ): Promise<Forerunner | undefined> {
    const rows = await tx.query<Array<{ archive_bytes: string; space_bytes: string }>>(
      `SELECT archive_bytes, space_bytes FROM backups
       WHERE environment = $1 AND target = $2 AND container = $3 AND space_bytes IS NOT NULL
         AND (restic_snapshot IS NOT NULL) = $4
       ORDER BY created_at DESC LIMIT 1`,
      [at.environment, at.target, at.container, engine === 'restic'],
    );
    const [row] = rows;
    return row === undefined
      ? undefined
      : { engine, archiveBytes: Number(row.archive_bytes), spaceBytes: Number(row.space_bytes) };
  }

  /** Newest first. @param filter without a limit: all */
  async list(
    tx: EntityManager,
    filter: Partial<QueryData<'list-backups'>> & { readonly instance?: string },
  ): Promise<BackupRow[]> {
    return tx.query<BackupRow[]>(
      `SELECT ${LISTED_COLUMNS} FROM backups
       WHERE ($1::text IS NULL OR environment = $1) AND ($2::text IS NULL OR application = $2)
         AND ($3::text IS NULL OR upgrade = $3) AND ($4::text IS NULL OR instance = $4)
       ORDER BY created_at DESC, upgrade DESC, backup LIMIT $5`,
      [
        ...[filter.environment ?? null, filter.application ?? null, filter.upgrade ?? null],
        ...[filter.instance ?? null, filter.limit ?? null],
      ],
    );
  }

  /** An upgrade is of one environment and one application: with its id the name is enough. */
  async find(tx: EntityManager, key: BackupKeyData): Promise<BackupRow | undefined> {
    const rows = await tx.query<BackupRow[]>(
      `SELECT ${LISTED_COLUMNS} FROM backups WHERE upgrade = $1 AND backup = $2`,
      [key.upgrade, key.backup],
    );
    return rows[0];
  }

  /** All that are recorded, as `<environment>/<application>/<upgrade>/<backup>`. */
  async known(tx: EntityManager): Promise<Set<string>> {
    const rows = await tx.query<BackupKey[]>(
      `SELECT environment, application, upgrade, backup FROM backups`,
    );
    return new Set(rows.map((key) => keyOf(key).join('/')));
  }

  /** Held until the transaction ends: of one instance's backups one is deleted at a time. */
  async lockInstance(
    tx: EntityManager,
    {
      environment,
      application,
      instance,
    }: Pick<BackupRow, 'environment' | 'application' | 'instance'>,
  ): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [
      `backups ${environment}/${application}/${instance}`,
    ]);
  }

  /** Held until the transaction ends. */
  async lockApplication(
    tx: EntityManager,
    { environment, application }: ApplicationKey,
  ): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [
      `restic of ${environment}/${application}`,
    ]);
  }

  /** Of what was written until then: a later attempt's record of the same key stays. @param createdAt as the manifest says it */
  async removeUntil(tx: EntityManager, key: BackupKey, createdAt: string): Promise<void> {
    await tx.query(
      `DELETE FROM backups WHERE environment = $1 AND application = $2 AND upgrade = $3 AND backup = $4 AND created_at <= $5`,
      [...keyOf(key), createdAt],
    );
  }

  async remove(tx: EntityManager, key: BackupKey): Promise<void> {
    await tx.query(
      `DELETE FROM backups WHERE environment = $1 AND application = $2 AND upgrade = $3 AND backup = $4`,
      keyOf(key),
    );
  }
}
