import type { MigrationInterface, QueryRunner } from 'typeorm';
import { PageCutter } from '../domain/plan-pages.js';

/** Plans lie in the pages that they are handed on in: whoever reads one need not read all of the plan. */
export class PlanPages1700000003000 implements MigrationInterface {
  readonly name = 'PlanPages1700000003000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE plan_pages (
        digest text NOT NULL REFERENCES plans ON DELETE CASCADE,
        starts_at integer NOT NULL,
        text text NOT NULL,
        PRIMARY KEY (digest, starts_at)
      )`);
    await runner.query(`ALTER TABLE plans ADD COLUMN characters integer`);
    const plans = await runner.manager.query<Array<{ digest: string }>>(`SELECT digest FROM plans`);
    // one at a time: a plan may be of 125 MiB
    for (const { digest } of plans) await this.cut(runner, digest);
    await runner.query(`ALTER TABLE plans ALTER COLUMN characters SET NOT NULL, DROP COLUMN body`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE plans ADD COLUMN body text`);
    await runner.query(`
      UPDATE plans SET body =
        (SELECT string_agg(text, '' ORDER BY starts_at) FROM plan_pages WHERE plan_pages.digest = plans.digest)`);
    await runner.query(`ALTER TABLE plans ALTER COLUMN body SET NOT NULL, DROP COLUMN characters`);
    await runner.query(`DROP TABLE plan_pages`);
  }

  private async cut(runner: QueryRunner, digest: string): Promise<void> {
    const rows = await runner.manager.query<Array<{ body: string }>>(
      `SELECT body FROM plans WHERE digest = $1`,
      [digest],
    );
    const cutter = new PageCutter();
    for (const { body } of rows) cutter.add(body);
    const { characters } = cutter;
    for (const { startsAt, text } of cutter.end())
      await runner.query(`INSERT INTO plan_pages (digest, starts_at, text) VALUES ($1, $2, $3)`, [
        digest,
        startsAt,
        text,
      ]);
    await runner.query(`UPDATE plans SET characters = $2 WHERE digest = $1`, [digest, characters]);
  }
}
