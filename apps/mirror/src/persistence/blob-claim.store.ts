import type { EntityManager } from 'typeorm';
import type { WantedBlob } from '#oci';

/** Who writes which blob. PostgreSQL's clock alone says whether a claim holds. A claim that is over stays for a while, to say where the blob is. */
export class BlobClaimStore {
  /** @returns undefined when somebody else holds it; else the repository of the claim before, if one is known */
  async take(
    db: EntityManager,
    { registry, digest, repository }: WantedBlob,
    owner: string,
    leaseMs: number,
  ): Promise<{ readonly lately: string | undefined } | undefined> {
    const rows = await db.query<Array<{ last_repository: string | null }>>(
      `INSERT INTO blob_claims AS held (registry, digest, repository, owner, held_until)
       VALUES ($1, $2, $3, $4, now() + $5 * interval '1 millisecond')
       ON CONFLICT (registry, digest) DO UPDATE SET last_repository = held.repository, repository = excluded.repository,
         owner = excluded.owner, held_until = excluded.held_until WHERE held.held_until <= now()
       RETURNING last_repository`,
      [registry, digest, repository, owner, leaseMs],
    );
    return rows[0] === undefined ? undefined : { lately: rows[0].last_repository ?? undefined };
  }

  async isHeld(db: EntityManager, { registry, digest }: WantedBlob): Promise<boolean> {
    const rows = await db.query<unknown[]>(
      `SELECT 1 FROM blob_claims WHERE registry = $1 AND digest = $2 AND held_until > now()`,
      [registry, digest],
    );
    return rows.length > 0;
  }

  async renew(db: EntityManager, owners: readonly string[], leaseMs: number): Promise<void> {
    await db.query(
      `UPDATE blob_claims SET held_until = now() + $2 * interval '1 millisecond' WHERE owner = ANY($1)`,
      [owners, leaseMs],
    );
  }

  async release(db: EntityManager, { registry, digest }: WantedBlob, owner: string): Promise<void> {
    await db.query(
      `UPDATE blob_claims SET held_until = now() WHERE registry = $1 AND digest = $2 AND owner = $3`,
      [registry, digest, owner],
    );
  }

  /** Those that ended an hour ago. */
  async forget(db: EntityManager): Promise<void> {
    await db.query(`DELETE FROM blob_claims WHERE held_until < now() - interval '1 hour'`);
  }
}
