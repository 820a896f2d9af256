import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { LiftlockError } from '#kernel';
import type { ComposeClient } from './compose-client.js';
import type { ServerName } from './fleet-state.js';
import { rootFolder } from './root-folder.js';
import type { ServerKind } from './server-process.js';

const run = promisify(execFile);

export interface ComposedBy {
  readonly client: ComposeClient;
  /** As DOCKER_HOST takes it: an engine of this machine, since it publishes on loopback. */
  readonly engineHost: string;
}

/** A server that this machine has not: a container of deploy/compose/servers.yml. */
export interface Composed extends ComposedBy {
  /** The server's own project: names its container and its volume. */
  readonly project: string;
}

export interface ComposedServer {
  readonly name: ServerName;
  /** For its log. */
  readonly folder: string;
  readonly composed: Composed;
  readonly signal?: AbortSignal | undefined;
  /** Variables of the server's part of the file; asked before each start. */
  env(): Readonly<Record<string, string>>;
  url(port: number): string;
  answers(port: number): Promise<boolean>;
}

/** Milliseconds that an image may take to be pulled. */
const PULL_DEADLINE_MS = 600_000;
/** Milliseconds of any other command. */
const COMMAND_DEADLINE_MS = 60_000;
/** Seconds that a container has from its stop signal to SIGKILL. */
const STOP_SECONDS = 10;

/** Of its own: a folder that was removed, and is made again, must not find the data of before, whose password is lost. */
export function newProject(name: ServerName): string {
  return `liftlock-${randomBytes(4).toString('hex')}-${name}`;
}

/**
 * The process is `docker compose up`, attached: it lives as long as the container, writes its log, and stops it on SIGTERM. So the
 * server is started, watched and ended as one of this machine is. Should that process be killed, the container is taken by the name.
 */
export function composedKind(server: ComposedServer): ServerKind {
  const { name, composed, folder, signal } = server;
  const env = (port: number): Record<string, string> => ({
    ...server.env(),
    LIFTLOCK_NAME: composed.project,
    LIFTLOCK_PORT: String(port),
  });
  return {
    name,
    logFile: join(resolve(folder), `${name}.log`),
    cwd: '/',
    stopSignal: 'SIGTERM',
    stopDeadlineMs: 30_000,
    url: (port) => server.url(port),
    // the image is pulled here: it is no part of the start
    prepare: (port) =>
      compose(composed, ['up', '--no-start', '--force-recreate', name], {
        env: env(port),
        timeout: PULL_DEADLINE_MS,
        signal,
      }),
    command: (port) => ({
      file: composed.client.file,
      args: [...words(composed), 'up', '--no-color', '--no-log-prefix', '--no-recreate', name],
      env: environment(composed, env(port)),
    }),
    answers: (port) => server.answers(port),
    afterStop: () => removeComposed(composed),
    deleteStore: () => compose(composed, ['down', '--volumes']),
  };
}

/** Stops and removes the container; the volume with the data stays. */
export function removeComposed(composed: Composed): Promise<void> {
  return compose(composed, ['down', '--timeout', String(STOP_SECONDS)]);
}

/** Runs a command inside of the container, with this text on its standard input. */
export function execComposed(
  composed: Composed,
  service: string,
  script: string,
  input: string,
): Promise<void> {
  return compose(composed, ['exec', '-T', service, 'sh', '-c', script], { input });
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly timeout?: number;
  readonly signal?: AbortSignal | undefined;
  readonly input?: string;
}

async function compose(
  composed: Composed,
  args: readonly string[],
  { env = {}, timeout = COMMAND_DEADLINE_MS, signal, input }: RunOptions = {},
): Promise<void> {
  const { file } = composed.client;
  try {
    const running = run(file, [...words(composed), ...args], {
      env: environment(composed, env),
      timeout,
      ...(signal ? { signal } : {}),
    });
    running.child.stdin?.end(input ?? '');
    await running;
  } catch (cause) {
    signal?.throwIfAborted();
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr) : String(cause);
    const last = said.trim().split('\n').at(-1) ?? '';
    throw new LiftlockError(
      'unavailable',
      `docker compose ${args.join(' ')} (project ${composed.project}) failed: ${last}`,
      { cause },
    );
  }
}

function words({ client, project }: Composed): string[] {
  const file = join(rootFolder(), 'deploy', 'compose', 'servers.yml');
  return [...client.args, '--project-name', project, '--file', file];
}

/** The caller's variables, other than those that would have Compose read another file. */
function environment(
  { engineHost }: Composed,
  more: Readonly<Record<string, string>>,
): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('COMPOSE_'));
  return { ...Object.fromEntries(own), DOCKER_HOST: engineHost, ...more };
}
