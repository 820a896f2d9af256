import { rmSync } from 'node:fs';
import { APPS, type App, type NatsUser } from '#contracts';
import {
  newPassword,
  newPasswords,
  startNats,
  startPostgres,
  startRedis,
  type NatsServer,
  type RunningServer,
} from '#fleet';
import { newFolder, testNatsUsers } from './shared-servers.js';

export interface FreshNats {
  readonly server: NatsServer;
  readonly url: string;
  /** What `connect` takes: credentials of a service, limited to what the catalogue allows it. */
  user(app: App): { readonly user: string; readonly pass: string };
  /** A user who may do everything. */
  readonly admin: { readonly user: string; readonly pass: string };
  /** Stops it and deletes all of it. */
  stop(): Promise<void>;
}

/** A nats-server of this test file's own: streams have fixed names, so files cannot share one; and it may be wiped. */
export async function freshNats(more: readonly NatsUser[] = []): Promise<FreshNats> {
  const passwords = newPasswords(APPS);
  const admin = { user: 'admin', pass: newPassword() };
  const folder = newFolder('nats');
  const server = await startNats({
    folder,
    users: [...testNatsUsers(passwords, admin), ...more],
    tied: true,
  });
  return {
    server,
    url: server.url,
    user: (app) => ({ user: app, pass: passwords[app] }),
    admin,
    stop: () => stopAndDelete(server, folder),
  };
}

export interface FreshServer {
  readonly server: RunningServer;
  readonly url: string;
  /** Stops it and deletes all of it. */
  stop(): Promise<void>;
}

/** A Redis of this test file's own, to stop, kill and wipe. */
export async function freshRedis(): Promise<FreshServer> {
  const folder = newFolder('redis');
  const server = await startRedis({ folder, password: newPassword(), tied: true });
  return { server, url: server.url, stop: () => stopAndDelete(server, folder) };
}

/** A PostgreSQL of this test file's own, to stop, kill and restart. For mere data `freshDatabase` is much faster. */
export async function freshPostgres(): Promise<FreshServer> {
  const folder = newFolder('postgres');
  const server = await startPostgres({ folder, password: newPassword(), fsync: false, tied: true });
  return { server, url: server.url, stop: () => stopAndDelete(server, folder) };
}

async function stopAndDelete(server: RunningServer, folder: string): Promise<void> {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
