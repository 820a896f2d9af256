import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APPS, natsUsers, type App, type NatsUser } from '#contracts';
import {
  newPassword,
  newPasswords,
  provisionDatabase,
  startNats,
  startPostgres,
  startRedis,
  type RunningServer,
} from '#fleet';
import { keepCluster } from './cluster-keeper.js';
import { keepEngine } from './engine-keeper.js';

/** What the global setup hands to the test files (plain data: it crosses processes). */
export interface SharedServers {
  /** Folder of this run, deleted at its end; every user can walk to it. */
  readonly folder: string;
  readonly postgres: {
    /** The superuser's URL, database `postgres`. */
    readonly adminUrl: string;
    /** Database with the services' roles and empty schemas, cloned for each test file. */
    readonly template: string;
    readonly passwords: Record<App, string>;
  };
  readonly nats: {
    readonly url: string;
    readonly passwords: Record<App, string>;
    /** A user who may do everything, for tests only. */
    readonly admin: { readonly user: string; readonly pass: string };
  };
  readonly redis: { readonly url: string };
  /** Unix socket on which a test file asks for the Docker Engine. */
  readonly engineSocket: string;
  /** Unix socket on which a test file asks for the Kubernetes cluster. */
  readonly clusterSocket: string;
}

export const TEMPLATE = 'liftlock_template';

/** A folder for servers: PostgreSQL's user must be able to walk to it. */
export function newFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), `liftlock-${prefix}-`));
  chmodSync(folder, 0o711);
  return folder;
}

/** The services' users, and one who may do everything. */
export function testNatsUsers(
  passwords: Record<App, string>,
  admin: { user: string; pass: string },
): NatsUser[] {
  const everything = { allow: ['>'] };
  return [
    ...natsUsers(passwords),
    { user: admin.user, password: admin.pass, publish: everything, subscribe: everything },
  ];
}

export interface StartedServers {
  readonly shared: SharedServers;
  stop(): Promise<void>;
}

/** One PostgreSQL, one NATS, one Redis; they die with this process, however it ends. */
export async function startSharedServers(): Promise<StartedServers> {
  const folder = newFolder('run');
  const postgresPasswords = newPasswords(APPS);
  const natsPasswords = newPasswords(APPS);
  const admin = { user: 'admin', pass: newPassword() };
  const started = await Promise.allSettled([
    startPostgres({
      folder: join(folder, 'postgres'),
      password: newPassword(),
      fsync: false,
      tied: true,
    }),
    startNats({
      folder: join(folder, 'nats'),
      users: testNatsUsers(natsPasswords, admin),
      tied: true,
    }),
    startRedis({ folder: join(folder, 'redis'), password: newPassword(), tied: true }),
  ] as const);
  const running: RunningServer[] = started.flatMap((one): RunningServer[] =>
    one.status === 'fulfilled' ? [one.value] : [],
  );
  const engineSocket = join(folder, 'engine.sock');
  const keeper = await keepEngine(engineSocket, join(folder, 'engine'));
  const clusterSocket = join(folder, 'cluster.sock');
  const clusterKeeper = await keepCluster(clusterSocket, join(folder, 'cluster'));
  const stop = async (): Promise<void> => {
    await Promise.all([keeper.stop(), clusterKeeper.stop()]);
    await Promise.all(running.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
  };
  const [postgres, nats, redis] = started;
  if (postgres.status === 'rejected' || nats.status === 'rejected' || redis.status === 'rejected') {
    await stop();
    throw started.find((one) => one.status === 'rejected')?.reason;
  }
  await provisionDatabase(postgres.value.url, postgresPasswords, { database: TEMPLATE });
  return {
    shared: {
      folder,
      postgres: { adminUrl: postgres.value.url, template: TEMPLATE, passwords: postgresPasswords },
      nats: { url: nats.value.url, passwords: natsPasswords, admin },
      redis: { url: redis.value.url },
      engineSocket,
      clusterSocket,
    },
    stop,
  };
}
