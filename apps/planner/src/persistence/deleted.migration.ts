import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A document that was deleted keeps its generations: its last one says that it is gone. */
export class DeletedDocuments1700000002000 implements MigrationInterface {
  readonly name = 'DeletedDocuments1700000002000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE documents ADD COLUMN deleted boolean NOT NULL DEFAULT false`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE documents DROP COLUMN deleted`);
  }
}
