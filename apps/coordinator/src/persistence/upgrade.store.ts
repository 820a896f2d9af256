import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { LiftlockError } from '#kernel';
import type { HistoryEvent, Plan, UpgradeRequest, UpgradeState } from '#contracts';
import type { Saga } from '#saga';
import type { UpgradeRecord } from '../domain/upgrade-view.js';

interface UpgradeRow {
  id: string;
  environment: string;
  application: string;
  release: string;
  version: number;
  saga: Saga;
  request: UpgradeRequest;
  requested_by: string;
  plan_digest: string | null;
  plan_shape: string | null;
  message: string | null;
  last_sequence: number;
  created_at: Date;
  updated_at: Date;
  ended_at: Date | null;
}

const COLUMNS = `id, environment, application, release, version, saga, request, requested_by, plan_digest, plan_shape, message, last_sequence,
  created_at, updated_at, ended_at`;

interface HistoryRow {
  upgrade: string;
  sequence: number;
  type: string;
  at: Date;
  data: Record<string, unknown>;
}

/** Of an upgrade that has no events there. */
interface NoHistoryRow {
  sequence: null;
}

export interface UpgradeFilter {
  readonly environment?: string | undefined;
  readonly application?: string | undefined;
  readonly state?: readonly UpgradeState[] | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface UpgradeEnd {
  readonly id: string;
  readonly release: string;
  readonly state: UpgradeState;
}

/** The upgrades, their plans and their history. */
@Injectable()
export class UpgradeStore {
  async insert(tx: EntityManager, record: UpgradeRecord): Promise<void> {
    await tx.query(
      `INSERT INTO upgrades (id, environment, application, release, state, version, saga, request, requested_by, last_sequence, created_at, updated_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)`,
      [
        record.id,
        record.environment,
        record.application,
        record.release,
        record.saga.state,
        record.version,
        JSON.stringify(record.saga),
        JSON.stringify(record.request),
        record.requestedBy,
        record.lastSequence,
        record.createdAt,
      ],
    );
  }

  /** @throws LiftlockError `not_found` */
  async get(tx: EntityManager, id: string): Promise<UpgradeRecord> {
    return this.read(tx, id, '');
  }

  /** Holds the row until the transaction ends, so that an upgrade's messages are handled one after another. */
  async getForUpdate(tx: EntityManager, id: string): Promise<UpgradeRecord> {
    return this.read(tx, id, 'FOR NO KEY UPDATE');
  }

  private async read(tx: EntityManager, id: string, lock: string): Promise<UpgradeRecord> {
    const rows = await tx.query<UpgradeRow[]>(
      `SELECT ${COLUMNS} FROM upgrades WHERE id = $1 ${lock}`,
      [id],
    );
    const row = rows[0];
    if (row === undefined) throw missing(id);
    return fromRow(row);
  }

  /**
   * The compare-and-set that every transition goes through: on id, version and state.
   * @throws LiftlockError `conflict`, retryable, when somebody else was faster.
   */
  async compareAndSet(
    tx: EntityManager,
    before: UpgradeRecord,
    after: UpgradeRecord,
  ): Promise<void> {
    const result = await tx.query<[unknown[], number]>(
      `UPDATE upgrades SET saga = $4, state = $5, version = version + 1, plan_digest = $6, message = $7, last_sequence = $8,
         updated_at = $9, ended_at = $10, plan_shape = $11
       WHERE id = $1 AND version = $2 AND state = $3`,
      [
        before.id,
        before.version,
        before.saga.state,
        JSON.stringify(after.saga),
        after.saga.state,
        after.planDigest ?? null,
        after.message ?? null,
        after.lastSequence,
        after.updatedAt,
        after.endedAt ?? null,
        after.planShape ?? null,
      ],
    );
    if (result[1] !== 1) {
      throw new LiftlockError('conflict', `upgrade ${before.id} was changed in between`, {
        retryable: true,
      });
    }
  }

  async list(tx: EntityManager, filter: UpgradeFilter): Promise<UpgradeRecord[]> {
    const rows = await tx.query<UpgradeRow[]>(
      `SELECT ${COLUMNS} FROM upgrades
       WHERE ($1::text IS NULL OR environment = $1) AND ($2::text IS NULL OR application = $2)
         AND ($3::text[] IS NULL OR state = ANY ($3)) AND ($4::text IS NULL OR id < $4)
       ORDER BY id DESC LIMIT $5`,
      [
        filter.environment ?? null,
        filter.application ?? null,
        filter.state ?? null,
        filter.cursor ?? null,
        filter.limit,
      ],
    );
    return rows.map(fromRow);
  }

  /** Where upgrades went, and how far they are; those that are not known are left out. */
  async ends(tx: EntityManager, ids: readonly string[]): Promise<UpgradeEnd[]> {
    return tx.query<UpgradeEnd[]>(`SELECT id, release, state FROM upgrades WHERE id = ANY ($1)`, [
      ids,
    ]);
  }

  async savePlan(tx: EntityManager, digest: string, plan: Plan): Promise<void> {
    await tx.query(`INSERT INTO plans (digest, plan) VALUES ($1, $2) ON CONFLICT DO NOTHING`, [
      digest,
      JSON.stringify(plan),
    ]);
  }

  async plan(tx: EntityManager, digest: string): Promise<Plan> {
    const rows = await tx.query<Array<{ plan: Plan }>>(`SELECT plan FROM plans WHERE digest = $1`, [
      digest,
    ]);
    const row = rows[0];
    if (row === undefined) throw new LiftlockError('internal', `plan ${digest} is not stored`);
    return row.plan;
  }

  async addHistory(tx: EntityManager, events: readonly HistoryEvent[]): Promise<void> {
    if (events.length === 0) return;
    await tx.query(
      `INSERT INTO history (upgrade, sequence, type, at, data)
       SELECT upgrade, sequence, type, at, data
       FROM unnest($1::text[], $2::int[], $3::text[], $4::timestamptz[], $5::jsonb[]) AS given (upgrade, sequence, type, at, data)`,
      [
        events.map(({ upgrade }) => upgrade),
        events.map(({ sequence }) => sequence),
        events.map(({ type }) => type),
        events.map(({ at }) => at),
        events.map(({ data }) => JSON.stringify(data)),
      ],
    );
  }

  /**
   * The state and the events after a sequence, of one moment: what happens later is fetched by the next call, and none is missed.
   * @throws LiftlockError `not_found`
   */
  async eventsAfter(
    db: EntityManager,
    id: string,
    after: number,
    limit: number,
  ): Promise<{ state: UpgradeState; items: HistoryEvent[] }> {
    const rows = await db.query<Array<{ state: UpgradeState } & (HistoryRow | NoHistoryRow)>>(
      `SELECT upgrades.state, later.upgrade, later.sequence, later.type, later.at, later.data FROM upgrades
       LEFT JOIN LATERAL (
         SELECT upgrade, sequence, type, at, data FROM history
         WHERE upgrade = upgrades.id AND sequence > $2 ORDER BY sequence LIMIT $3) AS later ON true
       WHERE upgrades.id = $1 ORDER BY later.sequence`,
      [id, after, limit],
    );
    const [first] = rows;
    if (first === undefined) throw missing(id);
    return {
      state: first.state,
      items: rows.flatMap(({ state: _state, ...row }) =>
        row.sequence === null ? [] : [{ ...row, at: row.at.toISOString() }],
      ),
    };
  }
}

function missing(id: string): LiftlockError {
  return new LiftlockError('not_found', `there is no upgrade ${id}`);
}

function fromRow(row: UpgradeRow): UpgradeRecord {
  return {
    id: row.id,
    environment: row.environment,
    application: row.application,
    release: row.release,
    version: row.version,
    saga: row.saga,
    request: row.request,
    requestedBy: row.requested_by,
    planDigest: row.plan_digest ?? undefined,
    planShape: row.plan_shape ?? undefined,
    message: row.message ?? undefined,
    lastSequence: row.last_sequence,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    endedAt: row.ended_at ?? undefined,
  };
}
