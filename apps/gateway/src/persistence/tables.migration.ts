import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tokens and the audit: all that the gateway owns. */
export class GatewayTables1700000001000 implements MigrationInterface {
  readonly name = 'GatewayTables1700000001000';

  async up(runner: QueryRunner): Promise<void> {
    // the token itself is nowhere: only its digest
    await runner.query(`
      CREATE TABLE tokens (
        id text PRIMARY KEY,
        name text NOT NULL,
        role text NOT NULL,
        sha256 bytea NOT NULL UNIQUE,
        created_at timestamptz NOT NULL,
        created_by text NOT NULL,
        expires_at timestamptz,
        revoked_at timestamptz
      )`);
    // a name is one actor's as long as its token is good
    await runner.query(
      `CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_at IS NULL`,
    );
    await runner.query(`
      CREATE TABLE audit (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL,
        actor text NOT NULL,
        role text NOT NULL,
        method text NOT NULL,
        path text NOT NULL,
        request text NOT NULL,
        status integer,
        code text
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE audit`);
    await runner.query(`DROP TABLE tokens`);
  }
}
