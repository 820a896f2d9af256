import { LiftlockError } from '#kernel';
import { findCompose } from './compose-client.js';
import type { ComposedBy } from './composed-server.js';
import { findDockerEngine } from './docker-engine.js';
import { engineAnswers } from './engine-ping.js';
import {
  engineRequirements,
  install,
  SERVERS,
  type InstallOptions,
  type Requirement,
} from './ensure-installed.js';
import type { FleetState, ServerName } from './fleet-state.js';

/** How the servers are had: those named as containers of Docker Compose, the others as processes of this machine. */
export interface Obtained {
  readonly composed: readonly ServerName[];
  /** There when one is a container. */
  readonly by: ComposedBy | undefined;
}

export interface ObtainOptions extends InstallOptions {
  /** What an earlier start has settled. */
  readonly state?: FleetState | undefined;
  /** All as containers, also where this machine has the servers. */
  readonly compose?: boolean | undefined;
  /** For tests: what is looked for. */
  readonly servers?: Readonly<Record<ServerName, Requirement>>;
}

const NAMES: readonly ServerName[] = ['postgres', 'nats', 'redis'];

/**
 * The servers that are found on the machine, else from Debian's packages, else by Docker Compose. Where a server has once had its data
 * it stays: PostgreSQL would otherwise begin anew without a word.
 * @throws LiftlockError `misconfigured`: one line that names what is missing and all the ways to have it.
 */
export async function obtainServers(options: ObtainOptions): Promise<Obtained> {
  const { state, servers = SERVERS } = options;
  const isComposed = (name: ServerName): boolean => state?.servers[name].container !== undefined;
  const hasData = state?.servers.postgres.port !== undefined && !isComposed('postgres');
  if (options.compose === true && hasData)
    throw new LiftlockError(
      'misconfigured',
      "PostgreSQL of this fleet has its data in a process of this machine: start without --compose, or remove the fleet's folder to begin anew",
    );
  const chosen = NAMES.filter((name) => options.compose === true || isComposed(name));
  const local = NAMES.filter((name) => !chosen.includes(name));
  const tools = options.docker === true ? await engineRequirements() : [];
  const failure = await tryInstall([...local.map((name) => servers[name]), ...tools], options);
  const missing = local.filter((name) => !servers[name].present());
  if (failure !== undefined && (missing.length === 0 || (hasData && missing.includes('postgres'))))
    throw failure;
  const composed = [...chosen, ...missing];
  if (composed.length === 0) return { composed, by: undefined };
  const by = await findComposedBy(state);
  if (by === undefined) throw unobtainable(composed, failure);
  if (failure !== undefined) await install(tools, options);
  if (missing.length > 0)
    options.log?.(`by Docker Compose: ${missing.map((name) => servers[name].what).join(', ')}`);
  return { composed, by };
}

/** Docker Compose, and an engine of this machine: what its containers publish on loopback is on our loopback. */
async function findComposedBy(state?: FleetState): Promise<ComposedBy | undefined> {
  const client = await findCompose();
  if (client === undefined) return undefined;
  // not the one that DOCKER_HOST names by now, but the one that has the data
  const known = NAMES.flatMap((name) => state?.servers[name].container?.engineHost ?? [])[0];
  if (known !== undefined && (await engineAnswers(known))) return { client, engineHost: known };
  const engine = known === undefined ? await findDockerEngine() : undefined;
  return engine?.socketPath === undefined ? undefined : { client, engineHost: engine.host };
}

async function tryInstall(
  wanted: readonly Requirement[],
  options: InstallOptions,
): Promise<LiftlockError | undefined> {
  try {
    await install(wanted, options);
    return undefined;
  } catch (error) {
    if (error instanceof LiftlockError && error.code === 'misconfigured') return error;
    throw error;
  }
}

const COMPOSE =
  'Docker Compose (docker compose version) and a Docker Engine that answers (docker ps)';

function unobtainable(names: readonly ServerName[], failure: LiftlockError | undefined): Error {
  return new LiftlockError(
    'misconfigured',
    failure === undefined
      ? `${names.join(', ')} as containers: this needs ${COMPOSE}`
      : `${failure.message}. Or have ${COMPOSE}: they bring the servers`,
    { cause: failure },
  );
}
