import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What every step service has in its schema besides the shared tables. */
export class StepsTables1700000000500 implements MigrationInterface {
  readonly name = 'StepsTables1700000000500';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE claims (
        upgrade text NOT NULL,
        step_id text NOT NULL,
        token integer NOT NULL,
        state text NOT NULL CHECK (state IN ('accepted', 'running', 'finished', 'revoking', 'revoked')),
        command jsonb NOT NULL,
        owner text,
        -- the process that may still be at work under an older token, and until when at the latest
        busy_owner text,
        busy_until timestamptz,
        began boolean NOT NULL DEFAULT false,
        result jsonb,
        enqueued_at timestamptz NOT NULL DEFAULT now(),
        started_at timestamptz,
        ended_at timestamptz,
        PRIMARY KEY (upgrade, step_id)
      )`);
    await runner.query(
      `CREATE INDEX claims_open ON claims (state, busy_until) WHERE state IN ('accepted', 'running', 'revoking')`,
    );
    await runner.query(`
      CREATE TABLE step_logs (
        id bigserial PRIMARY KEY,
        upgrade text NOT NULL,
        step_id text NOT NULL,
        token integer NOT NULL,
        at timestamptz NOT NULL,
        level text NOT NULL,
        text text NOT NULL
      )`);
    await runner.query(`CREATE INDEX step_logs_by_step ON step_logs (upgrade, step_id, id)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE step_logs`);
    await runner.query(`DROP TABLE claims`);
  }
}
