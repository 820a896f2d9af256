import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { LiftlockError } from '#kernel';
import {
  COMMANDS,
  plan as planSchema,
  type CommandData,
  type Plan,
  type QueryReply,
} from '#contracts';
import type { WrittenPlan } from '../domain/written-plan.js';

export type PlanningResult = CommandData<'plan-computed'>['result'];
const planningResult = COMMANDS['plan-computed'].data.shape.result;

/** Plans by their digest, which never change, and what was answered to whom. */
@Injectable()
export class PlanStore {
  /** @returns the digest. */
  async save(
    tx: EntityManager,
    { digest, characters, pages }: WrittenPlan,
    now: Date,
  ): Promise<string> {
    const made = await tx.query<unknown[]>(
      `INSERT INTO plans (digest, characters, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING digest`,
      [digest, characters, now],
    );
    // the same digest: the same pages
    if (made.length === 0) return digest;
    for (const { startsAt, text } of pages)
      await tx.query(`INSERT INTO plan_pages (digest, starts_at, text) VALUES ($1, $2, $3)`, [
        digest,
        startsAt,
        text,
      ]);
    return digest;
  }

  async find(tx: EntityManager, digest: string): Promise<Plan | undefined> {
    const pages = await tx.query<Array<{ text: string }>>(
      `SELECT text FROM plan_pages WHERE digest = $1 ORDER BY starts_at`,
      [digest],
    );
    if (pages.length === 0) return undefined;
    return planSchema.parse(JSON.parse(pages.map(({ text }) => text).join('')));
  }

  /**
   * Reads no more of a plan than one page of it, which is what is left of the one that the offset lies in.
   * @throws LiftlockError `not_found`
   */
  async page(tx: EntityManager, digest: string, offset: number): Promise<QueryReply<'get-plan'>> {
    const rows = await tx.query<Array<{ characters: number; starts_at: number; text: string }>>(
      `SELECT characters, starts_at, text FROM plans JOIN plan_pages USING (digest)
       WHERE digest = $1 AND starts_at <= $2::bigint ORDER BY starts_at DESC LIMIT 1`,
      [digest, offset],
    );
    const [row] = rows;
    if (row === undefined) throw new LiftlockError('not_found', `there is no plan ${digest}`);
    const text = row.text.slice(offset - row.starts_at);
    const next = offset + text.length;
    return {
      text,
      total: row.characters,
      ...(next < row.characters && text.length > 0 ? { nextOffset: next } : {}),
    };
  }

  async answer(tx: EntityManager, upgrade: string): Promise<PlanningResult | undefined> {
    const rows = await tx.query<Array<{ result: string }>>(
      `SELECT result FROM answers WHERE upgrade = $1`,
      [upgrade],
    );
    const text = rows[0]?.result;
    return text === undefined ? undefined : planningResult.parse(JSON.parse(text));
  }

  /** The first answer stands: whoever comes second gets it back. */
  async saveAnswer(
    tx: EntityManager,
    upgrade: string,
    result: PlanningResult,
    now: Date,
  ): Promise<PlanningResult> {
    await tx.query(
      `INSERT INTO answers (upgrade, result, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
      [upgrade, JSON.stringify(result), now],
    );
    await tx.query(`DELETE FROM planning_failures WHERE upgrade = $1`, [upgrade]);
    return (await this.answer(tx, upgrade)) ?? result;
  }

  /** @returns since when planning for this upgrade fails. */
  async failingSince(tx: EntityManager, upgrade: string, now: Date): Promise<Date> {
    await tx.query(
      `INSERT INTO planning_failures (upgrade, first_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
      [upgrade, now],
    );
    const rows = await tx.query<Array<{ first_at: Date }>>(
      `SELECT first_at FROM planning_failures WHERE upgrade = $1`,
      [upgrade],
    );
    return rows[0]?.first_at ?? now;
  }
}
