import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What every service has in its own schema. */
export class SharedTables1700000000000 implements MigrationInterface {
  readonly name = 'SharedTables1700000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE outbox (
        id bigserial PRIMARY KEY,
        message_id text NOT NULL UNIQUE,
        subject text NOT NULL,
        payload text NOT NULL,
        order_key text,
        created_at timestamptz NOT NULL DEFAULT now(),
        sent_at timestamptz
      )`);
    await runner.query(`CREATE INDEX outbox_unsent ON outbox (id) WHERE sent_at IS NULL`);
    await runner.query(`CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL`);
    await runner.query(`
      CREATE TABLE inbox (
        message_id text NOT NULL,
        consumer text NOT NULL,
        accepted_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (message_id, consumer)
      )`);
    await runner.query(`CREATE INDEX inbox_accepted ON inbox (accepted_at)`);
    await runner.query(`
      CREATE TABLE dead_letters (
        message_id text PRIMARY KEY,
        subject text NOT NULL,
        payload text NOT NULL,
        error jsonb NOT NULL,
        deliveries integer NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['dead_letters', 'inbox', 'outbox'])
      await runner.query(`DROP TABLE ${table}`);
  }
}
