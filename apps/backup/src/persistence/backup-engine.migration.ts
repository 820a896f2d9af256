import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Where restic has an archive. */
export class BackupEngine1700000012000 implements MigrationInterface {
  readonly name = 'BackupEngine1700000012000';

  async up(runner: QueryRunner): Promise<void> {
    // null: the archive is a file beside its manifest
    await runner.query(`ALTER TABLE backups ADD COLUMN restic_snapshot text`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE backups DROP COLUMN restic_snapshot`);
  }
}
