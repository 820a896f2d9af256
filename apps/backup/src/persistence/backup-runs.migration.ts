import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Backups and restores that people asked for, outside of upgrades; and whose turn it is to read one back. */
export class BackupRuns1700000011000 implements MigrationInterface {
  readonly name = 'BackupRuns1700000011000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE runs (
        id text PRIMARY KEY,
        site text NOT NULL,
        state text NOT NULL,
        -- what is told of it
        run jsonb NOT NULL,
        actor text NOT NULL,
        idempotency_key text,
        request_digest text NOT NULL,
        -- that the coordinator may hold its instances for it
        holds boolean NOT NULL DEFAULT true,
        holder text NOT NULL,
        lease timestamptz NOT NULL,
        UNIQUE (actor, idempotency_key)
      )`);
    await runner.query(
      `CREATE TABLE verify_turns (site text PRIMARY KEY, holder text NOT NULL, lease timestamptz NOT NULL)`,
    );
    await runner.query(`CREATE INDEX runs_to_end ON runs (site) WHERE holds`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE verify_turns`);
    await runner.query(`DROP TABLE runs`);
  }
}
