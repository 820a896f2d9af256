import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { App } from '#contracts';
import { LiftlockError } from '#kernel';
import { isServiceReady } from './service-health.js';
import type { ProcessIdentity } from './process-identity.js';
import {
  ServerProcess,
  type RunningServer,
  type ServerKind,
  type StartOptions,
} from './server-process.js';

export interface ServiceOptions extends StartOptions {
  /** From 1; the first one's log is `<app>.log`, the second one's `<app>-2.log`. */
  readonly replica?: number | undefined;
  /** Folder of the repository or package: holds `dist/`. */
  readonly root: string;
  /** Its log goes to `<folder>/log/`. */
  readonly folder: string;
}

/** One replica of one service, as a process of its own. */
export interface ServiceProcess extends RunningServer {
  readonly app: App;
  readonly replica: number;
  /** SIGKILL, now: `kill()` under the name that says so. */
  kill9(): Promise<void>;
}

/** Variables of the caller that a service gets too: where programs and certificates are, proxies, engines, sign-ins to registries. */
const INHERITED =
  /^(PATH|HOME|USER|LANG|LC_.*|TZ|TMPDIR|[A-Za-z]+_PROXY|[a-z]+_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_.*|DOCKER_.*|REGISTRY_AUTH_FILE|XDG_RUNTIME_DIR|KUBECONFIG|LIFTLOCK_.*)$/;

function inheritedEnv(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => INHERITED.test(name)));
}

/**
 * Starts a built service and waits until it is ready (GET /health/ready answers 200). `PORT` is set here; its
 * `restart()` uses the same port and environment.
 */
export async function startService(
  app: App,
  env: Readonly<Record<string, string>>,
  options: ServiceOptions,
): Promise<ServiceProcess> {
  return withName(await ServerProcess.start(serviceKind(app, env, options), options), app, options);
}

export function attachService(
  app: App,
  env: Readonly<Record<string, string>>,
  options: ServiceOptions,
  port: number,
  identity: ProcessIdentity,
): ServiceProcess {
  const server = ServerProcess.attach(serviceKind(app, env, options), port, identity, options);
  return withName(server, app, options);
}

function withName(
  server: ServerProcess,
  app: App,
  { replica = 1 }: ServiceOptions,
): ServiceProcess {
  return Object.assign(server, { app, replica, kill9: () => server.kill() });
}

function serviceKind(
  app: App,
  env: Readonly<Record<string, string>>,
  { root, folder, replica = 1 }: ServiceOptions,
): ServerKind {
  const name = replica === 1 ? app : `${app}-${replica}`;
  const main = join(root, 'dist', 'apps', app, 'src', 'main.js');
  if (!existsSync(main)) {
    throw new LiftlockError('misconfigured', `${main} is not there: build with npm run build`);
  }
  return {
    name,
    logFile: join(folder, 'log', `${name}.log`),
    cwd: root,
    stopSignal: 'SIGTERM',
    stopDeadlineMs: 15_000,
    url: (port) => `http://127.0.0.1:${port}`,
    prepare: async () => undefined,
    command: (port) => ({
      file: process.execPath,
      // services hold little that is short-lived: a small young generation saves a fifth of their memory. Source maps would take 10 MiB of each,
      // and time for each error: what is built has the lines of its source nearly as they are
      args: ['--max-semi-space-size=4', main],
      // a start takes a fifth less with the cache. What glibc keeps of freed memory it keeps for each of eight threads, else: a backup service that
      // has read a gigabyte has 40 MiB less with two
      env: {
        ...inheritedEnv(),
        MALLOC_ARENA_MAX: '2',
        NODE_COMPILE_CACHE: join(root, 'dist', '.compile-cache'),
        ...env,
        PORT: String(port),
      },
    }),
    answers: isServiceReady,
    deleteStore: async () => undefined,
  };
}
