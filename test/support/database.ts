import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { APPS, type App } from '#contracts';
import { grantDatabase, serviceDatabaseUrl, withClient } from '#fleet';
import './servers.setup.js';

export interface FreshDatabase {
  readonly name: string;
  /** The superuser's URL of this database. */
  readonly adminUrl: string;
  /** The URL with which a service reaches it: as its own role, which owns the schema of its name. */
  url(app: App): string;
  /** Drops it, whoever is still connected. */
  drop(): Promise<void>;
}

/** A database of this test file's own: roles and empty schemas are there, tables are not. Drop it in `afterAll`. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const { postgres } = inject('servers');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await withClient(postgres.adminUrl, async (client) => {
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${postgres.template}`);
    await grantDatabase(client, name, APPS);
  });
  const adminUrl = new URL(postgres.adminUrl);
  adminUrl.pathname = `/${name}`;
  return {
    name,
    adminUrl: adminUrl.href,
    url: (app) => serviceDatabaseUrl(postgres.adminUrl, app, postgres.passwords[app], name),
    drop: () =>
      withClient(postgres.adminUrl, async (client) => {
        await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      }),
  };
}
