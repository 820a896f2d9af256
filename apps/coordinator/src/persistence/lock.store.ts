import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { UpgradeRecord } from '../domain/upgrade-view.js';

export interface HeldLock {
  readonly instance: string;
  readonly upgrade: string;
}

/** The upgrade that is to hold something. */
type LockedFor = Pick<UpgradeRecord, 'id' | 'environment' | 'application'>;

/** What holds a lock, for a sentence. */
export function holderText(id: string): string {
  return id.startsWith('bak_') ? `a backup (${id})` : `upgrade ${id}`;
}

/** Which upgrade, or backup that a person asked for, holds which instance, and which application while it holds any of it. Rows, not sessions: they outlive every process, and go with the upgrade's end. */
@Injectable()
export class LockStore {
  /**
   * All or none, and the application with them: what one upgrade leaves out is not another's meanwhile, since the first one counts on the
   * version that stays there.
   * @returns the first instance that another upgrade holds, else the application where it holds another part of it; nothing when all are
   *   held now.
   */
  async acquire(
    tx: EntityManager,
    { environment, application, id: upgrade }: LockedFor,
    instances: ReadonlyArray<{ readonly instance: string; readonly target: string }>,
  ): Promise<HeldLock | undefined> {
    // no instance is called so: they have an @, and are on a target
    const all = [...instances, { instance: application, target: '' }];
    // always in the same order, so that two upgrades never wait for each other
    const sorted = all.toSorted((a, b) => (a.instance < b.instance ? -1 : 1));
    await tx.query(
      `INSERT INTO locks (environment, instance, target, upgrade)
       SELECT $1, instance, target, $4
       FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS given (instance, target, place)
       ORDER BY place ON CONFLICT DO NOTHING`,
      [
        environment,
        sorted.map(({ instance }) => instance),
        sorted.map(({ target }) => target),
        upgrade,
      ],
    );
    const held = await tx.query<HeldLock[]>(
      `SELECT instance, upgrade FROM locks WHERE environment = $1 AND instance = ANY ($2) AND upgrade <> $3
       ORDER BY target = '', instance LIMIT 1`,
      [environment, all.map(({ instance }) => instance), upgrade],
    );
    if (held[0] !== undefined) await this.release(tx, upgrade);
    return held[0];
  }

  async release(tx: EntityManager, upgrade: string): Promise<void> {
    await tx.query(`DELETE FROM locks WHERE upgrade = $1`, [upgrade]);
  }

  /** Until the transaction ends, nobody else counts who is on these targets: two that came at once would both find the last place free. */
  async queueFor(
    tx: EntityManager,
    environment: string,
    targets: readonly string[],
  ): Promise<void> {
    await tx.query(
      `SELECT pg_advisory_xact_lock(hashtextextended('target ' || current_schema() || ' ' || $1 || ' ' || name, 0))
       FROM (SELECT name FROM unnest($2::text[]) AS name ORDER BY name) AS sorted`,
      [environment, targets],
    );
  }

  /** Upgrades that hold something on a target now, this one left out. */
  async upgradesOn(
    tx: EntityManager,
    environment: string,
    target: string,
    except: string,
  ): Promise<number> {
    const rows = await tx.query<Array<{ n: number }>>(
      `SELECT count(DISTINCT upgrade)::int AS n FROM locks WHERE environment = $1 AND target = $2 AND upgrade <> $3`,
      [environment, target, except],
    );
    return rows[0]?.n ?? 0;
  }

  /** What holds any instance of an application. */
  async holderOf(
    tx: EntityManager,
    environment: string,
    application: string,
  ): Promise<string | undefined> {
    const rows = await tx.query<Array<{ id: string }>>(
      `SELECT upgrade AS id FROM locks WHERE environment = $1 AND instance = $2`,
      [environment, application],
    );
    return rows[0]?.id;
  }
}
