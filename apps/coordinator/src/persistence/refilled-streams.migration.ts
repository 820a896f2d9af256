import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Empty at first: what is kept is published once more then, which is nothing at a first start, and harmless at a later one. */
export class RefilledStreams1700000003000 implements MigrationInterface {
  readonly name = 'RefilledStreams1700000003000';

  async up(runner: QueryRunner): Promise<void> {
    // the time as the broker writes it: to the nanosecond, which no type here has
    await runner.query(
      `CREATE TABLE refilled_streams (stream text PRIMARY KEY, created text NOT NULL)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE refilled_streams`);
  }
}
