import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Everything that the coordinator owns, besides the shared tables of #persistence. */
export class CoordinatorTables1700000001000 implements MigrationInterface {
  readonly name = 'CoordinatorTables1700000001000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE upgrades (
        id text PRIMARY KEY,
        environment text NOT NULL,
        application text NOT NULL,
        release text NOT NULL,
        state text NOT NULL,
        version integer NOT NULL DEFAULT 1,
        saga jsonb NOT NULL,
        request jsonb NOT NULL,
        requested_by text NOT NULL,
        plan_digest text,
        message text,
        last_sequence integer NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        ended_at timestamptz
      )`);
    await runner.query(
      `CREATE INDEX upgrades_by_place ON upgrades (environment, application, state)`,
    );
    await runner.query(`CREATE TABLE plans (digest text PRIMARY KEY, plan jsonb NOT NULL)`);
    await runner.query(`
      CREATE TABLE history (
        upgrade text NOT NULL REFERENCES upgrades (id),
        sequence integer NOT NULL,
        type text NOT NULL,
        at timestamptz NOT NULL,
        data jsonb NOT NULL,
        PRIMARY KEY (upgrade, sequence)
      )`);
    // one row for each instance that an upgrade holds: a second upgrade finds the first one's name here
    await runner.query(`
      CREATE TABLE locks (
        environment text NOT NULL,
        instance text NOT NULL,
        target text NOT NULL,
        upgrade text NOT NULL REFERENCES upgrades (id),
        PRIMARY KEY (environment, instance)
      )`);
    await runner.query(`CREATE INDEX locks_by_upgrade ON locks (upgrade)`);
    await runner.query(`
      CREATE TABLE idempotency_keys (
        actor text NOT NULL,
        key text NOT NULL,
        request_digest text NOT NULL,
        upgrade text NOT NULL REFERENCES upgrades (id),
        created_at timestamptz NOT NULL,
        PRIMARY KEY (actor, key)
      )`);
    await runner.query(`
      CREATE TABLE timers (
        upgrade text NOT NULL REFERENCES upgrades (id),
        key text NOT NULL,
        due_at timestamptz NOT NULL,
        message jsonb NOT NULL,
        PRIMARY KEY (upgrade, key)
      )`);
    await runner.query(`CREATE INDEX timers_by_due ON timers (due_at)`);
    // what was sent and is not answered: sent again from here, whatever became of the broker
    await runner.query(`
      CREATE TABLE dispatches (
        upgrade text NOT NULL REFERENCES upgrades (id),
        key text NOT NULL,
        token integer NOT NULL,
        subject text NOT NULL,
        name text NOT NULL,
        data jsonb NOT NULL,
        sends integer NOT NULL DEFAULT 1,
        next_send_at timestamptz NOT NULL,
        PRIMARY KEY (upgrade, key)
      )`);
    await runner.query(`CREATE INDEX dispatches_by_next_send ON dispatches (next_send_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [
      'dispatches',
      'timers',
      'idempotency_keys',
      'locks',
      'history',
      'plans',
      'upgrades',
    ]) {
      await runner.query(`DROP TABLE ${table}`);
    }
  }
}
