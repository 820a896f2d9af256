import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the backup service knows of its repository. */
export class BackupTables1700000003000 implements MigrationInterface {
  readonly name = 'BackupTables1700000003000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE backups (
        environment text NOT NULL,
        application text NOT NULL,
        backup text NOT NULL,
        upgrade text NOT NULL,
        step_id text NOT NULL,
        instance text NOT NULL,
        target text NOT NULL,
        container text NOT NULL,
        location text NOT NULL,
        created_at timestamptz NOT NULL,
        files bigint NOT NULL,
        bytes bigint NOT NULL,
        archive_bytes bigint NOT NULL,
        archive_sha256 text NOT NULL,
        manifest_digest text NOT NULL,
        consistency text NOT NULL,
        -- set while a restore from it has begun and was not seen to be whole: the data is neither old nor new
        incomplete_since timestamptz,
        restored_at timestamptz,
        PRIMARY KEY (environment, application, upgrade, backup)
      )`);
    await runner.query(`CREATE INDEX backups_by_upgrade ON backups (upgrade)`);
    await runner.query(`CREATE INDEX backups_by_time ON backups (created_at DESC)`);
    await runner.query(
      `CREATE INDEX backups_incomplete ON backups (environment, target, container) WHERE incomplete_since IS NOT NULL`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE backups`);
  }
}
