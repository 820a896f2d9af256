import pg from 'pg';
import type { App } from '#contracts';

export interface ProvisionOptions {
  /** Name of the database; default `liftlock`. */
  readonly database?: string;
}

export const DATABASE = 'liftlock';

export function roleOf(app: App): string {
  return `liftlock_${app}`;
}

/** The URL by which one service reaches its own schema. */
export function serviceDatabaseUrl(
  adminUrl: string,
  app: App,
  password: string,
  database: string = DATABASE,
): string {
  const url = new URL(adminUrl);
  url.username = roleOf(app);
  url.password = password;
  url.pathname = `/${database}`;
  return url.href;
}

/**
 * Makes the database, and for each service a role with its password and a schema that only this role may use. Doing it
 * again changes the passwords and nothing else. Returns the services' URLs.
 */
export async function provisionDatabase<A extends App>(
  adminUrl: string,
  passwords: Readonly<Record<A, string>>,
  { database = DATABASE }: ProvisionOptions = {},
): Promise<Record<A, string>> {
  const apps = Object.keys(passwords) as A[];
  await withClient(adminUrl, async (client) => {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [
      database,
    ]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${quote(database)}`);
    for (const app of apps) await ensureRole(client, app, passwords[app]);
    await grantDatabase(client, database, apps);
  });
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  await withClient(url.href, async (client) => {
    await client.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
    for (const app of apps) {
      await client.query(
        `CREATE SCHEMA IF NOT EXISTS ${quote(app)} AUTHORIZATION ${quote(roleOf(app))}`,
      );
      await client.query(`REVOKE ALL ON SCHEMA ${quote(app)} FROM PUBLIC`);
    }
  });
  return Object.fromEntries(
    apps.map((app) => [app, serviceDatabaseUrl(adminUrl, app, passwords[app], database)]),
  ) as Record<A, string>;
}

/** A database's own rights, which a clone of it does not inherit. */
export async function grantDatabase(
  client: pg.Client,
  database: string,
  apps: readonly App[],
): Promise<void> {
  await client.query(`REVOKE ALL ON DATABASE ${quote(database)} FROM PUBLIC`);
  for (const app of apps) {
    await client.query(`GRANT CONNECT ON DATABASE ${quote(database)} TO ${quote(roleOf(app))}`);
  }
}

async function ensureRole(client: pg.Client, app: App, password: string): Promise<void> {
  const role = roleOf(app);
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  const verb = rowCount === 0 ? 'CREATE' : 'ALTER';
  await client.query(
    `${verb} ROLE ${quote(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD ${client.escapeLiteral(password)}`,
  );
  await client.query(`ALTER ROLE ${quote(role)} SET search_path = ${quote(app)}`);
}

export function quote(identifier: string): string {
  return pg.escapeIdentifier(identifier);
}

/** Runs something with one connection, opened within 60 s and closed at the end whatever happens. */
export async function withClient<T>(
  url: string,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  // where nobody listens it fails at once: who is silent may be a machine that stands still
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 60_000 });
  client.on('error', () => undefined); // a lost connection fails the query that runs on it
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
