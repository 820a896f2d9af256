import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the planner owns, besides the shared tables of #persistence. */
export class PlannerTables1700000001000 implements MigrationInterface {
  readonly name = 'PlannerTables1700000001000';

  async up(runner: QueryRunner): Promise<void> {
    // every generation is kept; bodies are canonical JSON as text, since jsonb cannot hold every string that JSON can
    await runner.query(`
      CREATE TABLE documents (
        kind text NOT NULL,
        name text COLLATE "C" NOT NULL,
        generation integer NOT NULL,
        digest text NOT NULL,
        application text,
        body text NOT NULL,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (kind, name, generation)
      )`);
    await runner.query(
      `CREATE TABLE plans (digest text PRIMARY KEY, body text NOT NULL, created_at timestamptz NOT NULL)`,
    );
    // what was answered to an upgrade's question: asked again, it is answered the same
    await runner.query(
      `CREATE TABLE answers (upgrade text PRIMARY KEY, result text NOT NULL, created_at timestamptz NOT NULL)`,
    );
    await runner.query(
      `CREATE TABLE planning_failures (upgrade text PRIMARY KEY, first_at timestamptz NOT NULL)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['planning_failures', 'answers', 'plans', 'documents'])
      await runner.query(`DROP TABLE ${table}`);
  }
}
