import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What promotion goes by. Upgrades from before have none: what they did has to be done once more where it is asked for. */
export class PlanShapes1700000002000 implements MigrationInterface {
  readonly name = 'PlanShapes1700000002000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE upgrades ADD COLUMN plan_shape text`);
    await runner.query(
      `CREATE INDEX upgrades_by_shape ON upgrades (environment, plan_shape) WHERE plan_shape IS NOT NULL`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX upgrades_by_shape`);
    await runner.query(`ALTER TABLE upgrades DROP COLUMN plan_shape`);
  }
}
