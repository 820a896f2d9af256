import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { StepResult } from '#contracts';
import type { AttemptKey, RunStep } from './options.js';

export const CLAIM_STATES = ['accepted', 'running', 'finished', 'revoking', 'revoked'] as const;
export type ClaimState = (typeof CLAIM_STATES)[number];

/** What a finished attempt answered. */
export interface StoredResult {
  readonly result: StepResult;
  readonly attempt: number;
  readonly startedAt?: string | undefined;
  readonly endedAt: string;
  readonly actionMs?: number | undefined;
}

export interface Claim {
  readonly upgrade: string;
  readonly stepId: string;
  readonly token: number;
  readonly state: ClaimState;
  readonly command: RunStep;
  readonly owner: string | undefined;
  readonly busyOwner: string | undefined;
  /** Somebody may still be at work, under this or an older token. */
  readonly busy: boolean;
  readonly began: boolean;
  readonly result: StoredResult | undefined;
}

interface ClaimRow {
  upgrade: string;
  step_id: string;
  token: number;
  state: ClaimState;
  command: RunStep;
  owner: string | null;
  busy_owner: string | null;
  busy: boolean;
  began: boolean;
  result: StoredResult | null;
}

const COLUMNS = `upgrade, step_id, token, state, command, owner, busy_owner,
  (busy_owner IS NOT NULL AND busy_until > now()) AS busy, began, result`;

/** Who may run what. PostgreSQL's clock alone says whether a lease holds. */
@Injectable()
export class ClaimStore {
  async getForUpdate(
    tx: EntityManager,
    upgrade: string,
    stepId: string,
  ): Promise<Claim | undefined> {
    const rows = await tx.query<ClaimRow[]>(
      `SELECT ${COLUMNS} FROM claims WHERE upgrade = $1 AND step_id = $2 FOR UPDATE`,
      [upgrade, stepId],
    );
    return rows[0] === undefined ? undefined : fromRow(rows[0]);
  }

  /** @returns false when somebody else was faster with the first claim of this step. */
  async insert(
    tx: EntityManager,
    command: RunStep,
    state: 'accepted' | 'revoked',
  ): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `INSERT INTO claims (upgrade, step_id, token, state, command) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING token`,
      [command.upgrade, command.stepId, command.token, state, JSON.stringify(command)],
    );
    return rows.length === 1;
  }

  /** A greater token takes over; whoever runs under the old one is fenced from here on. */
  async takeOver(
    tx: EntityManager,
    command: RunStep,
    state: 'accepted' | 'revoking' | 'revoked',
  ): Promise<void> {
    await tx.query(
      `UPDATE claims SET token = $3, state = $4, command = $5, began = began OR state = 'running', owner = NULL, result = NULL, enqueued_at = now(), started_at = NULL, ended_at = NULL
       WHERE upgrade = $1 AND step_id = $2 AND token < $3`,
      [command.upgrade, command.stepId, command.token, state, JSON.stringify(command)],
    );
  }

  /** Accepted → running, when nobody is at work under an older token. @returns the command, or nothing: then it is not ours to run. */
  async begin(
    tx: EntityManager,
    key: AttemptKey,
    owner: string,
    leaseMs: number,
  ): Promise<RunStep | undefined> {
    const [rows] = await tx.query<[Array<{ command: RunStep }>, number]>(
      `UPDATE claims SET state = 'running', owner = $4, busy_owner = $6, busy_until = now() + $5 * interval '1 millisecond', started_at = now()
       WHERE upgrade = $1 AND step_id = $2 AND token = $3 AND state = 'accepted' AND (busy_owner IS NULL OR busy_until <= now())
       RETURNING command`,
      [key.upgrade, key.stepId, key.token, owner, leaseMs, busyName(key, owner)],
    );
    return rows[0]?.command;
  }

  /** @returns false when the claim is not ours any more. */
  async renew(
    tx: EntityManager,
    key: AttemptKey,
    owner: string,
    leaseMs: number,
  ): Promise<boolean> {
    const [, changed] = await tx.query<[unknown[], number]>(
      `UPDATE claims SET busy_until = now() + $5 * interval '1 millisecond'
       WHERE upgrade = $1 AND step_id = $2 AND token = $3 AND owner = $4 AND state = 'running' AND busy_until > now()`,
      [key.upgrade, key.stepId, key.token, owner, leaseMs],
    );
    return changed === 1;
  }

  async isOurs(tx: EntityManager, key: AttemptKey, owner: string): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `SELECT 1 FROM claims WHERE upgrade = $1 AND step_id = $2 AND token = $3 AND owner = $4 AND state = 'running' AND busy_until > now()`,
      [key.upgrade, key.stepId, key.token, owner],
    );
    return rows.length === 1;
  }

  /**
   * The statement that ends an attempt. It changes nothing when a later token has taken over or the sweeper has given it up: then the
   * result counts for nothing.
   * @param free nobody is at work any more; else the step is free when the lease has ended.
   */
  finishing(
    key: AttemptKey,
    owner: string,
    stored: StoredResult,
    { began, free }: { readonly began: boolean; readonly free: boolean },
  ): { readonly sql: string; readonly parameters: readonly unknown[] } {
    return {
      sql: `UPDATE claims SET state = 'finished', result = $5, began = began OR $6, ended_at = now(),
         busy_owner = CASE WHEN $7 THEN NULL ELSE busy_owner END, busy_until = CASE WHEN $7 THEN NULL ELSE busy_until END
       WHERE upgrade = $1 AND step_id = $2 AND token = $3 AND owner = $4 AND state = 'running'`,
      parameters: [
        ...[key.upgrade, key.stepId, key.token, owner],
        ...[JSON.stringify(stored), began, free],
      ],
    };
  }

  /** A fenced attempt has stopped: what waits for it may go on at once. @returns the claim as it is now, if something waits. */
  async stopped(
    tx: EntityManager,
    key: AttemptKey,
    owner: string,
    began: boolean,
  ): Promise<Claim | undefined> {
    const [rows] = await tx.query<[ClaimRow[], number]>(
      `UPDATE claims SET busy_owner = NULL, busy_until = NULL, began = began OR $4
       WHERE upgrade = $1 AND step_id = $2 AND busy_owner = $3 AND state IN ('accepted', 'revoking') RETURNING ${COLUMNS}`,
      [key.upgrade, key.stepId, busyName(key, owner), began],
    );
    return rows[0] === undefined ? undefined : fromRow(rows[0]);
  }

  async markRevoked(tx: EntityManager, claim: Claim): Promise<void> {
    await tx.query(
      `UPDATE claims SET state = 'revoked', busy_owner = NULL, busy_until = NULL WHERE upgrade = $1 AND step_id = $2 AND token = $3`,
      [claim.upgrade, claim.stepId, claim.token],
    );
  }

  /** Owners that died: held for the transaction, so that two sweepers never tell of the same. */
  async expired(tx: EntityManager, limit: number): Promise<Claim[]> {
    const rows = await tx.query<ClaimRow[]>(
      `SELECT ${COLUMNS} FROM claims WHERE state IN ('running', 'revoking') AND (busy_until IS NULL OR busy_until <= now())
       ORDER BY busy_until LIMIT $1 FOR UPDATE SKIP LOCKED`,
      [limit],
    );
    return rows.map(fromRow);
  }

  async markLost(tx: EntityManager, claim: Claim, result: StoredResult): Promise<void> {
    await tx.query(
      `UPDATE claims SET state = 'finished', result = $4, began = true, busy_owner = NULL, busy_until = NULL, ended_at = now()
       WHERE upgrade = $1 AND step_id = $2 AND token = $3`,
      [claim.upgrade, claim.stepId, claim.token, JSON.stringify(result)],
    );
  }

  /** Accepted a while ago and not begun: their jobs may be lost. */
  async forgotten(tx: EntityManager, afterMs: number, limit: number): Promise<AttemptKey[]> {
    const [rows] = await tx.query<
      [Array<{ upgrade: string; step_id: string; token: number }>, number]
    >(
      `UPDATE claims SET enqueued_at = now() WHERE (upgrade, step_id) IN (
         SELECT upgrade, step_id FROM claims WHERE state = 'accepted' AND enqueued_at <= now() - $1 * interval '1 millisecond'
         ORDER BY enqueued_at LIMIT $2 FOR UPDATE SKIP LOCKED)
       RETURNING upgrade, step_id, token`,
      [afterMs, limit],
    );
    return rows.map((row) => ({ upgrade: row.upgrade, stepId: row.step_id, token: row.token }));
  }
}

/** Who is at work: one attempt, since a process may have two of one step, of which one does not stop. */
function busyName(key: AttemptKey, owner: string): string {
  return `${owner}#${key.token}`;
}

function fromRow(row: ClaimRow): Claim {
  return {
    upgrade: row.upgrade,
    stepId: row.step_id,
    token: row.token,
    state: row.state,
    command: row.command,
    owner: row.owner ?? undefined,
    busyOwner: row.busy_owner ?? undefined,
    busy: row.busy,
    began: row.began,
    result: row.result ?? undefined,
  };
}
