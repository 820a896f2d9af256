import { withClient } from '#fleet';
import type { Sink } from './secret-scan.js';

/** All that stands in a database, a sink for each table. */
export async function databaseRows(adminUrl: string): Promise<Sink[]> {
  return withClient(adminUrl, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
       WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
    );
    const sinks: Sink[] = [];
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(
        `SELECT row_to_json(t)::text AS row FROM ${name} t`,
      );
      sinks.push({ name, content: Buffer.from(rows.map(({ row }) => row).join('\n')) });
    }
    return sinks;
  });
}
