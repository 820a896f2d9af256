import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Locks of what is no upgrade: a backup or a restore that a person asked for. */
export class ForeignLocks1700000010000 implements MigrationInterface {
  readonly name = 'ForeignLocks1700000010000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE locks DROP CONSTRAINT locks_upgrade_fkey`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DELETE FROM locks WHERE upgrade NOT IN (SELECT id FROM upgrades)`);
    await runner.query(
      `ALTER TABLE locks ADD CONSTRAINT locks_upgrade_fkey FOREIGN KEY (upgrade) REFERENCES upgrades (id)`,
    );
  }
}
