import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What stands still for a snapshot, and snapshots of what did not. */
export class Quiets1700000010000 implements MigrationInterface {
  readonly name = 'Quiets1700000010000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE quiets (
        id text PRIMARY KEY,
        upgrade text NOT NULL,
        step_id text NOT NULL,
        -- one at a time: of two that let it go on the first one would spoil the other's
        container_id text NOT NULL UNIQUE,
        record jsonb NOT NULL,
        holder text NOT NULL,
        lease timestamptz NOT NULL
      )`);
    // entries that changed while they were read
    await runner.query(`ALTER TABLE backups ADD COLUMN fuzzy integer`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE backups DROP COLUMN fuzzy`);
    await runner.query(`DROP TABLE quiets`);
  }
}
