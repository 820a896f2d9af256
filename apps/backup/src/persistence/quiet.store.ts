import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { commandWork, stepPlace } from '#contracts';

/** What is to be done so that a container goes on as before. */
const quietRow = z.object({
  id: z.string(),
  upgrade: z.string(),
  environment: z.string(),
  application: z.string(),
  stepId: z.string(),
  token: z.number().int(),
  target: stepPlace,
  container: z.string(),
  containerId: z.string(),
  keptName: z.string(),
  paths: z.array(z.string()),
  /** How the container goes on: let go on, or started; not there: it was not touched. */
  resume: z.enum(['unpause', 'start']).optional(),
  /** Its command behind the reading. */
  after: commandWork.optional(),
  /** Seconds that the command may take. */
  timeoutSeconds: z.number(),
});
export type QuietRecord = z.infer<typeof quietRow>;

/**
 * What was stopped, paused or frozen for the reading of its data: written down before, so that it goes on whatever becomes of this process. Whoever
 * holds a record keeps its lease; one whose lease has ended is anybody's, who then lets go on what it names.
 */
@Injectable()
export class QuietStore {
  async add(
    tx: EntityManager,
    record: QuietRecord,
    holder: string,
    leaseMs: number,
  ): Promise<void> {
    await tx.query(
      `INSERT INTO quiets (id, upgrade, step_id, container_id, record, holder, lease)
       VALUES ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 ms')`,
      [
        ...[record.id, record.upgrade, record.stepId, record.containerId],
        ...[JSON.stringify(record), holder, leaseMs],
      ],
    );
  }

  /** @returns whether it is still ours */
  async renew(db: EntityManager, id: string, holder: string, leaseMs: number): Promise<boolean> {
    const [, changed] = await db.query<[unknown[], number]>(
      `UPDATE quiets SET lease = now() + $3 * interval '1 ms' WHERE id = $1 AND holder = $2`,
      [id, holder, leaseMs],
    );
    return changed === 1;
  }

  /** Nobody holds it any more: the next sweep takes it. */
  async letGo(db: EntityManager, id: string, holder: string): Promise<void> {
    await db.query(`UPDATE quiets SET lease = now() WHERE id = $1 AND holder = $2`, [id, holder]);
  }

  /** Those that nobody holds, of the targets that are reached from a site. */
  takeAbandoned(
    tx: EntityManager,
    site: string,
    holder: string,
    leaseMs: number,
  ): Promise<QuietRecord[]> {
    const where = `lease <= now() AND record->'target'->>'site' = $3`;
    return this.take(tx, where, [site], holder, leaseMs);
  }

  /** Those that an earlier attempt at this step has left, held or not: it is fenced by now. */
  takeOf(
    tx: EntityManager,
    { upgrade, stepId, token }: { upgrade: string; stepId: string; token: number },
    holder: string,
    leaseMs: number,
  ): Promise<QuietRecord[]> {
    const where = `upgrade = $3 AND step_id = $4 AND (record->>'token')::bigint < $5`;
    return this.take(tx, where, [upgrade, stepId, token], holder, leaseMs);
  }

  /** Who else keeps this container quiet. */
  async of(tx: EntityManager, containerId: string): Promise<QuietRecord | undefined> {
    const rows = await tx.query<Array<{ record: unknown }>>(
      `SELECT record FROM quiets WHERE container_id = $1 LIMIT 1`,
      [containerId],
    );
    return rows[0] === undefined ? undefined : quietRow.parse(rows[0].record);
  }

  async remove(tx: EntityManager, id: string, holder: string): Promise<void> {
    await tx.query(`DELETE FROM quiets WHERE id = $1 AND holder = $2`, [id, holder]);
  }

  private async take(
    tx: EntityManager,
    where: string,
    more: readonly unknown[],
    holder: string,
    leaseMs: number,
  ): Promise<QuietRecord[]> {
    const [rows] = await tx.query<[Array<{ record: unknown }>, number]>(
      `UPDATE quiets SET holder = $1, lease = now() + $2 * interval '1 ms'
       WHERE id IN (SELECT id FROM quiets WHERE ${where} ORDER BY id FOR UPDATE SKIP LOCKED)
       RETURNING record`,
      [holder, leaseMs, ...more],
    );
    return rows.map(({ record }) => quietRow.parse(record));
  }
}
