import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the notifier owns, besides the shared tables of #persistence. */
export class NotifierTables1700000001000 implements MigrationInterface {
  readonly name = 'NotifierTables1700000001000';

  async up(runner: QueryRunner): Promise<void> {
    // one row for an event and a webhook: an event that is delivered to us twice is sent once
    await runner.query(`
      CREATE TABLE deliveries (
        id bigserial PRIMARY KEY,
        event_id text NOT NULL,
        environment text NOT NULL,
        type text NOT NULL,
        url text NOT NULL,
        secret text NOT NULL,
        body text NOT NULL,
        state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
        attempts integer NOT NULL DEFAULT 0,
        next_try_at timestamptz NOT NULL DEFAULT now(),
        lease text,
        lease_until timestamptz,
        last_status integer,
        last_error text,
        created_at timestamptz NOT NULL DEFAULT now(),
        ended_at timestamptz,
        UNIQUE (event_id, url)
      )`);
    await runner.query(
      `CREATE INDEX deliveries_due ON deliveries (next_try_at, id) WHERE state = 'pending'`,
    );
    await runner.query(
      `CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE deliveries`);
  }
}
