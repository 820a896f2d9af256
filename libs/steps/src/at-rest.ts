import type { EntityManager } from 'typeorm';

/**
 * Whether nobody is at work on any step of an upgrade, under whatever token: what an attempt left is then nobody's.
 * @returns false also where the upgrade is not known here: somebody else may be at work on it
 */
export async function isAtRest(db: EntityManager, upgrade: string): Promise<boolean> {
  const rows = await db.query<Array<{ at_rest: boolean }>>(
    `SELECT count(*) > 0 AND coalesce(bool_and(busy_owner IS NULL OR busy_until <= now()), false) AS at_rest
     FROM claims WHERE upgrade = $1`,
    [upgrade],
  );
  return rows[0]?.at_rest === true;
}
