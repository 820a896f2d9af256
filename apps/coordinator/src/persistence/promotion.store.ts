import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { UpgradeState } from '#contracts';
import type { EarlierUpgrade } from '../domain/promotion.js';

interface Row {
  id: string;
  state: UpgradeState;
  plan_digest: string | null;
  ended_at: Date | null;
}

/** What became of upgrades in the environment that others are promoted from. */
@Injectable()
export class PromotionStore {
  /** The last one of this shape that ended and had touched something: what it came to counts. */
  async lastOfShape(
    tx: EntityManager,
    environment: string,
    shape: string,
  ): Promise<EarlierUpgrade | undefined> {
    return first(
      tx,
      `plan_shape = $2 AND state IN ('succeeded', 'partially_succeeded', 'rolled_back') ORDER BY ended_at DESC, id DESC`,
      [environment, shape],
    );
  }

  /** The last upgrade there that ended after another one and brought something to one of these versions. */
  async broughtTo(
    tx: EntityManager,
    environment: string,
    application: string,
    versions: readonly string[],
    after: { readonly id: string; readonly endedAt: Date },
  ): Promise<EarlierUpgrade | undefined> {
    // by its history: a plan may be large, and this is asked while others wait for the row
    return first(
      tx,
      `application = $2 AND state IN ('succeeded', 'partially_succeeded') AND (ended_at, id) > ($3, $4) AND EXISTS
         (SELECT FROM history WHERE upgrade = upgrades.id AND type = 'upgrade-planned' AND data ->> 'to' = ANY ($5))
       ORDER BY ended_at DESC, id DESC`,
      [environment, application, after.endedAt, after.id, versions],
    );
  }

  /** The newest upgrade there to this release, one that succeeded before all others: the one to compare with. */
  async nearest(
    tx: EntityManager,
    environment: string,
    application: string,
    release: string,
  ): Promise<EarlierUpgrade | undefined> {
    return first(
      tx,
      `application = $2 AND release = $3 AND plan_digest IS NOT NULL ORDER BY (state = 'succeeded') DESC, id DESC`,
      [environment, application, release],
    );
  }
}

/** @param values the environment, and what else is asked for */
async function first(
  tx: EntityManager,
  which: string,
  values: readonly unknown[],
): Promise<EarlierUpgrade | undefined> {
  const [row] = await tx.query<Row[]>(
    `SELECT id, state, plan_digest, ended_at FROM upgrades WHERE environment = $1 AND ${which} LIMIT 1`,
    [...values],
  );
  if (row === undefined) return undefined;
  return {
    id: row.id,
    state: row.state,
    planDigest: row.plan_digest ?? undefined,
    endedAt: row.ended_at ?? undefined,
  };
}
