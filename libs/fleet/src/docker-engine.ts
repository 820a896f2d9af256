import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { LiftlockError, waitFor } from '#kernel';
import { engineAnswers } from './engine-ping.js';
import { ensureBridge, removeBridge } from './engine-network.js';
import { endLeftovers, unmountUnder } from './engine-leftovers.js';
import { findProgram } from './find-program.js';
import { endProcess, isAlive, type ProcessIdentity } from './process-identity.js';
import { tailOf } from './server-process.js';
import { EndedAtOnce, spawnDetached } from './spawn-detached.js';

export interface DockerEngine {
  /** As DOCKER_HOST takes it. */
  readonly host: string;
  /** Path of its Unix socket, where it has one. */
  readonly socketPath: string | undefined;
  /** The private engine's process; `undefined` for one that was found running. */
  readonly identity: ProcessIdentity | undefined;
  isRunning(): Promise<boolean>;
  /** Stops a private engine with its containers; leaves one that was found as it is. */
  stop(): Promise<void>;
  /** Stops a private engine and deletes its images, containers and volumes. */
  remove(): Promise<void>;
}

export interface PrivateEngineOptions {
  /** Folder of its own, for images and containers. */
  readonly folder: string;
  readonly tied?: boolean | undefined;
  /** More arguments for dockerd, such as another `-H` to listen on. */
  readonly args?: readonly string[] | undefined;
  /** Called for each process as soon as it exists: more than one when the first did not get its containerd. */
  readonly onSpawn?: ((identity: ProcessIdentity) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const SYSTEM_SOCKET = '/var/run/docker.sock';
/** How often an engine is started whose containerd does not answer in time. */
const TRIES = 3;
/** dockerd gives its containerd 15 seconds, which no option changes, and ends: on a busy machine they may be too few. */
const CONTAINERD_LATE =
  /timeout waiting for containerd|failed to dial .*containerd\.sock.*deadline exceeded/;

/** An engine that runs already: DOCKER_HOST's, else the system's. */
export async function findDockerEngine(
  env: NodeJS.ProcessEnv = process.env,
): Promise<DockerEngine | undefined> {
  for (const host of [env['DOCKER_HOST'], `unix://${SYSTEM_SOCKET}`]) {
    if (host !== undefined && host !== '' && (await engineAnswers(host))) {
      return {
        host,
        socketPath: host.startsWith('unix://') ? host.slice('unix://'.length) : undefined,
        identity: undefined,
        isRunning: () => engineAnswers(host),
        stop: async () => undefined,
        remove: async () => undefined,
      };
    }
  }
  return undefined;
}

/** An engine that runs already, else a private one. */
export async function ensureDockerEngine(options: PrivateEngineOptions): Promise<DockerEngine> {
  return (await findDockerEngine()) ?? (await startPrivateEngine(options));
}

/**
 * Starts a Docker Engine of our own beside whatever else runs: its own data, bridge and socket, and no firewall rules
 * (containers reach each other and the host, not the world; published ports go through docker-proxy). One whose
 * containerd is late is started again, three times in all.
 * @throws LiftlockError `misconfigured` where none can be started; `unavailable` when it ended before it answered, with
 * its last words; `timeout` when it did not answer within a minute.
 */
export async function startPrivateEngine(options: PrivateEngineOptions): Promise<DockerEngine> {
  const program = findProgram('dockerd');
  if (program === undefined || findProgram('runc') === undefined) {
    throw new LiftlockError(
      'misconfigured',
      'no Docker Engine answers and none can be started: apt-get install docker.io',
    );
  }
  if (process.getuid?.() !== 0) {
    throw new LiftlockError(
      'misconfigured',
      'no Docker Engine answers, and only root can start one: sudo systemctl start docker, or set DOCKER_HOST',
    );
  }
  const { log, data } = placesOf(options.folder);
  for (let tries = 1; ; tries += 1) {
    options.signal?.throwIfAborted();
    const logStart = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
    const engine = await startOnce(program, options);
    if (engine !== undefined) return engine;
    const said = tailOf(log, logStart).trim();
    if (tries < TRIES && CONTAINERD_LATE.test(said)) continue;
    await unmountUnder(data);
    const lines = said.split('\n').slice(-2).join(' | ');
    throw new LiftlockError(
      'unavailable',
      `the Docker Engine ended before it answered: ${lines} (log: ${log})`,
    );
  }
}

/** @returns `undefined` when it ended before it answered; nothing of it is left then but its data. */
async function startOnce(
  program: string,
  options: PrivateEngineOptions,
): Promise<DockerEngine | undefined> {
  const places = placesOf(options.folder);
  await endLeftovers(places.runFolder);
  mkdirSync(places.data, { recursive: true, mode: 0o711 });
  mkdirSync(places.runFolder, { recursive: true, mode: 0o700 });
  const network = await ensureBridge(places.bridge);
  let identity: ProcessIdentity;
  try {
    identity = await spawnDetached({
      file: program,
      args: [
        ...[
          '--data-root',
          places.data,
          '--exec-root',
          join(places.runFolder, 'exec'),
          '--pidfile',
          join(places.runFolder, 'dockerd.pid'),
        ],
        ...['-H', `unix://${places.socket}`, '--shutdown-timeout', '5'],
        ...['--iptables=false', '--ip6tables=false', '--ip-masq=false'],
        ...network,
        ...runtime(places.runFolder),
        ...(options.args ?? []),
      ],
      cwd: '/',
      env: {
        ...process.env,
        PATH: `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`,
        DOCKER_HOST: undefined,
      },
      logFile: places.log,
      tiedBy: options.tied === true ? 'SIGTERM' : undefined,
    });
  } catch (error) {
    await clearAway(places);
    // on a slow machine it is over before it is looked at
    if (!(error instanceof EndedAtOnce)) throw error;
    return undefined;
  }
  options.onSpawn?.(identity);
  const engine = attachPrivateEngine(options.folder, identity);
  try {
    const outcome = await waitFor(
      async () =>
        !isAlive(identity) ? 'ended' : (await engineAnswers(engine.host)) ? 'answers' : undefined,
      {
        what: `the Docker Engine (log: ${places.log}) answers`,
        deadlineMs: 60_000,
        ...(options.signal ? { signal: options.signal } : {}),
      },
    );
    if (outcome === 'answers') return engine;
  } catch (error) {
    await engine.stop();
    throw error;
  }
  await clearAway(places);
  return undefined;
}

/** A private engine that another process started, known from the state file. */
export function attachPrivateEngine(folder: string, identity: ProcessIdentity): DockerEngine {
  const places = placesOf(folder);
  const host = `unix://${places.socket}`;
  const stop = async (): Promise<void> => {
    await endProcess(identity, { deadlineMs: 30_000 });
    await clearAway(places);
    await unmountUnder(places.data);
  };
  return {
    host,
    socketPath: places.socket,
    identity,
    isRunning: async () => isAlive(identity) && (await engineAnswers(host)),
    stop,
    remove: async () => {
      await stop();
      rmSync(places.data, { recursive: true, force: true });
    },
  };
}

/** What an engine that has ended leaves, but for its data, and what is mounted there: a disk of its own, perhaps. */
async function clearAway(places: Places): Promise<void> {
  await endLeftovers(places.runFolder);
  await removeBridge(places.bridge);
  rmSync(places.runFolder, { recursive: true, force: true });
}

interface Places {
  readonly data: string;
  /** Short, since paths of Unix sockets end at 107 bytes. */
  readonly runFolder: string;
  readonly socket: string;
  readonly bridge: string;
  readonly log: string;
}

function placesOf(folder: string): Places {
  const id = createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 8);
  const runFolder = `/run/liftlock-${id}`;
  return {
    data: join(resolve(folder), 'data'),
    runFolder,
    socket: join(runFolder, 'docker.sock'),
    bridge: `llk-${id}`, // names of network interfaces end at 15 bytes
    log: join(resolve(folder), 'dockerd.log'),
  };
}

/**
 * Where the kernel does not let us lower an OOM score (no CAP_SYS_RESOURCE, as inside many containers), a container
 * that asks for a negative one cannot start: there, a wrapper around runc raises it to 0. Nor can a privileged one, which asks for
 * every capability: there, it gets those that there are.
 */
function runtime(runFolder: string): string[] {
  const effective =
    /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const SYS_RESOURCE = 24n;
  if (((BigInt(`0x${effective}`) >> SYS_RESOURCE) & 1n) === 1n) return [];
  const wrapper = join(runFolder, 'runc');
  mkdirSync(dirname(wrapper), { recursive: true });
  writeFileSync(wrapper, RUNC_WRAPPER);
  chmodSync(wrapper, 0o755);
  return ['--add-runtime', `liftlock=${wrapper}`, '--default-runtime', 'liftlock'];
}

const RUNC_WRAPPER = `#!/bin/sh
# runc, with a negative OOM score raised to 0, and without CAP_SYS_RESOURCE, in what is being created or executed
file=
previous=
for argument in "$@"; do
  case $previous in
    --bundle | -b) file=$argument/config.json ;;
    --process | -p) file=$argument ;;
  esac
  case $argument in
    --bundle=*) file=\${argument#--bundle=}/config.json ;;
    --process=*) file=\${argument#--process=} ;;
  esac
  previous=$argument
done
if [ -n "$file" ] && [ -f "$file" ]; then
  sed -i -e 's/"oomScoreAdj":-[0-9]*/"oomScoreAdj":0/' -e 's/,"CAP_SYS_RESOURCE"//g' -e 's/"CAP_SYS_RESOURCE",//g' "$file"
fi
exec runc "$@"
`;
