import { DataSource, type MigrationInterface } from 'typeorm';
import { LiftlockError, waitFor } from '#kernel';
import type { App } from '#contracts';
import { SteadyClient } from './steady-client.js';
import { SharedTables1700000000000 } from './shared-tables.migration.js';

export type MigrationClass = new () => MigrationInterface & { readonly name: string };

export interface DataSourceOptions {
  readonly app: App;
  /** `postgres://…`: as the app's own role, whose search_path is its schema. */
  readonly url: string;
  readonly entities: readonly (new () => object)[];
  readonly migrations: readonly MigrationClass[];
  /** Connections; default 10. */
  readonly connections?: number;
}

const CONNECT_DEADLINE_MS = 30_000;

/**
 * Connects, and brings the schema to what this binary knows.
 * @throws LiftlockError `misconfigured` when the schema is newer than this binary: an old binary must not write into it.
 */
export async function openDataSource(options: DataSourceOptions): Promise<DataSource> {
  const migrations = [SharedTables1700000000000, ...options.migrations];
  const source = new DataSource({
    type: 'postgres',
    url: options.url,
    schema: options.app,
    entities: [...options.entities],
    migrations,
    migrationsTransactionMode: 'each',
    synchronize: false,
    logging: false,
    extra: {
      max: options.connections ?? 10,
      connectionTimeoutMillis: 5_000,
      // an upgrade's steps come in bursts: to connect anew for each takes more than what they ask
      idleTimeoutMillis: 60_000,
      Client: SteadyClient,
      // statements of one connection that are begun together go out together, and are still done one after another
      // (https://node-postgres.com/features/pipelining)
      pipeline: true,
    },
    poolErrorHandler: () => undefined,
  });
  await waitFor(async () => (await source.initialize()).isInitialized, {
    what: `PostgreSQL of ${options.app}`,
    deadlineMs: CONNECT_DEADLINE_MS,
    everyMs: 250,
  });
  try {
    await migrate(
      source,
      options.app,
      new Set(migrations.map((Migration) => new Migration().name)),
    );
  } catch (error) {
    await source.destroy();
    throw error;
  }
  return source;
}

/** Two at once: the second waits for the first, and finds nothing left to do. */
async function migrate(source: DataSource, app: App, known: ReadonlySet<string>): Promise<void> {
  const holder = source.createQueryRunner();
  await holder.connect();
  try {
    await holder.query(`SELECT pg_advisory_lock(hashtextextended($1, 0))`, [`migrate ${app}`]);
    await assertNotNewer(source, app, known);
    await source.runMigrations();
  } finally {
    await holder.query(`SELECT pg_advisory_unlock_all()`).catch(() => undefined);
    await holder.release();
  }
}

async function assertNotNewer(
  source: DataSource,
  app: App,
  known: ReadonlySet<string>,
): Promise<void> {
  const [table] = await source.query<Array<{ name: string | null }>>(
    `SELECT to_regclass('migrations')::text AS name`,
  );
  if (table?.name == null) return;
  const applied = await source.query<Array<{ name: string }>>(`SELECT name FROM migrations`);
  const unknown = applied.filter(({ name }) => !known.has(name));
  if (unknown.length === 0) return;
  throw new LiftlockError(
    'misconfigured',
    `the schema ${app} is newer than this binary (it has ${unknown.map(({ name }) => name).join(', ')}): start the newer version`,
  );
}
