import type { EntityManager } from 'typeorm';
import { isAtRest } from '#steps';

/** Whether nobody is at work on what a set of backups was made for: an upgrade, or what a person asked for. */
export async function isSetAtRest(db: EntityManager, set: string): Promise<boolean> {
  if (!set.startsWith('bak_')) return isAtRest(db, set);
  const [row] = await db.query<Array<{ at_rest: boolean }>>(
    `SELECT state <> 'running' AS at_rest FROM runs WHERE id = $1`,
    [set],
  );
  return row?.at_rest === true;
}
