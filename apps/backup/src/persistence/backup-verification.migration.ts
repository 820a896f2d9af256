import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What was found when a backup was read back, and how well data packs. */
export class BackupVerification1700000007000 implements MigrationInterface {
  readonly name = 'BackupVerification1700000007000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE backups
        -- that the data took on its disks; not there in backups of version 1
        ADD COLUMN space_bytes bigint,
        ADD COLUMN verify_started timestamptz,
        -- of whoever reads it; until then nobody else does
        ADD COLUMN verify_token text,
        ADD COLUMN verify_lease timestamptz,
        ADD COLUMN verify_bytes bigint NOT NULL DEFAULT 0,
        ADD COLUMN verify_finished timestamptz,
        ADD COLUMN verify_problem text`);
    await runner.query(
      `CREATE INDEX backups_by_container ON backups (environment, target, container, created_at DESC)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX backups_by_container`);
    await runner.query(`
      ALTER TABLE backups
        DROP COLUMN space_bytes, DROP COLUMN verify_started, DROP COLUMN verify_token, DROP COLUMN verify_lease,
        DROP COLUMN verify_bytes, DROP COLUMN verify_finished, DROP COLUMN verify_problem`);
  }
}
