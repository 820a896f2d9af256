import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LiftlockError, waitFor } from '#kernel';
import { attachPrivateEngine, ensureDockerEngine } from './docker-engine.js';
import { EmbeddedFleet } from './embedded-fleet.js';
import { lockHolder, takeLock, type FleetLock } from './fleet-lock.js';
import { KEEP_DEADLINE_MS, type FleetOptions } from './fleet-start.js';
import { readState, writeState, type FleetState } from './fleet-state.js';
import { engineFolder } from './fleet-stop.js';
import { obtainServers } from './obtain-servers.js';
import { isAlive } from './process-identity.js';
import { fleetFolder } from './root-folder.js';

export interface EnsureFleetOptions extends Partial<FleetOptions> {
  /** Also a Docker Engine: the one that runs, else a private one, which `down` stops. Default `false`. */
  readonly docker?: boolean;
  /** PostgreSQL, NATS and Redis as containers of Docker Compose, also where this machine has them. Default `false`. */
  readonly compose?: boolean;
}

/** How to reach a fleet: what the CLI, the demo and a subscriber need. */
export interface FleetInfo {
  readonly folder: string;
  /** The API's address. */
  readonly url: string;
  /** The admin's bearer token. */
  readonly token: string;
  /** A NATS login that may only read events. */
  readonly subscriber: { readonly servers: string; readonly user: string; readonly pass: string };
  /** As DOCKER_HOST takes it; only with `docker`. */
  readonly engineHost?: string;
}

export interface EnsuredFleet extends FleetInfo {
  /** All of it ran already. */
  readonly wasUp: boolean;
}

/** Preferred port of the API, where no other is asked for. */
export const DEFAULT_PORT = 7480;

/** How long another `up` or `down` is waited for. */
const LOCK_DEADLINE_MS = 180_000;

/** Installs what is missing, then brings the embedded fleet up, from whatever state it is in. */
export async function ensureFleet(options: EnsureFleetOptions = {}): Promise<EnsuredFleet> {
  const folder = options.folder ?? fleetFolder();
  const { signal, log } = options;
  const { composed, by } = await obtainServers({
    docker: options.docker ?? false,
    compose: options.compose,
    state: readState(folder),
    logFile: join(folder, 'log', 'apt.log'),
    ...(log ? { log } : {}),
    ...(signal ? { signal } : {}),
  });
  signal?.throwIfAborted();
  const lock = await waitForLock(folder, options);
  let fleet: EmbeddedFleet | undefined;
  try {
    fleet = await EmbeddedFleet.start({
      port: DEFAULT_PORT,
      ...options,
      ...{ folder, composed, composedBy: by },
    });
    const info = infoOf(folder, readState(folder));
    if (info === undefined)
      throw new LiftlockError('internal', `${folder} holds no fleet that runs`);
    const engineHost =
      options.docker === true ? await ensureEngine(folder, signal, log) : undefined;
    writeClientFile(info);
    return { ...info, ...(engineHost === undefined ? {} : { engineHost }), wasUp: fleet.wasUp };
  } catch (error) {
    // interrupted after the services: what this call has started goes, too
    if (fleet !== undefined && !fleet.wasUp) await fleet.stop();
    throw error;
  } finally {
    lock.release();
  }
}

/** The fleet that runs in this folder, as its state file tells; `undefined` when its gateway does not run. */
export function readFleet(folder: string = fleetFolder()): FleetInfo | undefined {
  return existsSync(folder) ? infoOf(folder, readState(folder)) : undefined;
}

/** For programs on this machine: how to reach the API and the events. It holds a token: mode 0600, replaced at once. */
function writeClientFile({ folder, url, token, subscriber }: FleetInfo): void {
  const file = join(folder, 'client.json');
  const fresh = `${file}.${process.pid}`;
  const text = JSON.stringify({ url, token, subscriber }, undefined, 2);
  writeFileSync(fresh, `${text}\n`, { mode: 0o600 });
  renameSync(fresh, file);
}

function infoOf(folder: string, state: FleetState | undefined): FleetInfo | undefined {
  const gateway = state?.services.find(
    ({ app, identity }) => app === 'gateway' && identity !== undefined && isAlive(identity),
  );
  if (state === undefined || gateway === undefined) return undefined;
  return {
    folder,
    url: `http://127.0.0.1:${gateway.port}`,
    token: state.token,
    subscriber: {
      servers: `nats://127.0.0.1:${state.servers.nats.port}`,
      user: 'subscriber',
      pass: state.passwords.subscriber,
    },
  };
}

async function ensureEngine(
  folder: string,
  signal: AbortSignal | undefined,
  log: ((line: string) => void) | undefined,
): Promise<string> {
  const state = readState(folder);
  if (state === undefined) throw new LiftlockError('internal', `${folder} holds no state`);
  const own = engineFolder(folder);
  const known = state.engine.identity;
  if (known !== undefined && isAlive(known)) {
    const engine = attachPrivateEngine(own, known);
    const answers = await waitFor(
      async () => ((await engine.isRunning()) ? 'yes' : isAlive(known) ? undefined : 'no more'),
      {
        ...{ what: 'the Docker Engine answers', deadlineMs: KEEP_DEADLINE_MS },
        ...(signal ? { signal } : {}),
      },
    ).catch(() => 'not in time');
    signal?.throwIfAborted();
    if (answers === 'yes') return engine.host;
    await engine.stop();
  }
  const engine = await ensureDockerEngine({
    folder: own,
    onSpawn: (identity) => {
      state.engine = { identity };
      writeState(folder, state);
    },
    ...(signal ? { signal } : {}),
  });
  if (engine.identity !== undefined)
    log?.(`Docker Engine of our own on ${engine.host} (pid ${engine.identity.pid})`);
  return engine.host;
}

async function waitForLock(
  folder: string,
  { signal, log }: EnsureFleetOptions,
): Promise<FleetLock> {
  const lock = takeLock(folder);
  if (lock !== undefined) return lock;
  log?.(`another up or down is at work (pid ${lockHolder(folder)?.pid ?? 'gone'}): waiting for it`);
  return waitFor(() => takeLock(folder), {
    what: `another up or down (pid ${lockHolder(folder)?.pid ?? 'gone'}) ends`,
    deadlineMs: LOCK_DEADLINE_MS,
    everyMs: 200,
    ...(signal ? { signal } : {}),
  });
}
