import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which replica writes which blob. */
export class BlobClaims1700000004100 implements MigrationInterface {
  readonly name = 'BlobClaims1700000004100';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE blob_claims (
        registry text NOT NULL,
        digest text NOT NULL,
        repository text NOT NULL,
        -- of the claim before this one
        last_repository text,
        owner text NOT NULL,
        held_until timestamptz NOT NULL,
        PRIMARY KEY (registry, digest)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE blob_claims`);
  }
}
