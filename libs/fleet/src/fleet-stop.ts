import { join } from 'node:path';
import { findCompose } from './compose-client.js';
import { removeComposed } from './composed-server.js';
import { attachPrivateEngine } from './docker-engine.js';
import { engineAnswers } from './engine-ping.js';
import { writeState, type FleetState } from './fleet-state.js';
import { endProcess, isAlive, type EndOptions, type ProcessIdentity } from './process-identity.js';

/**
 * Ends every process that the state names and that still is the one it names: services first, while their servers
 * are there to take their last words, then the servers. Returns how many were ended. Ports and passwords stay.
 */
export async function stopFleet(folder: string, state: FleetState): Promise<number> {
  const { postgres, nats, redis } = state.servers;
  const ended =
    (await endAll(state.services.map(({ identity }) => [identity, { deadlineMs: 15_000 }]))) +
    (await endAll([
      [postgres.identity, { signal: 'SIGINT', deadlineMs: 20_000 }],
      [nats.identity, {}],
      [redis.identity, {}],
    ]));
  await removeContainers(state);
  const engines = await stopEngine(folder, state);
  for (const part of [...state.services, ...Object.values(state.servers), state.engine]) {
    delete part.identity;
  }
  writeState(folder, state);
  return ended + engines;
}

export function engineFolder(folder: string): string {
  return join(folder, 'engine');
}

async function endAll(
  processes: readonly (readonly [ProcessIdentity | undefined, EndOptions])[],
): Promise<number> {
  const known = processes.flatMap(([identity, options]) =>
    identity ? [{ identity, options }] : [],
  );
  const outcomes = await Promise.all(
    known.map(({ identity, options }) => endProcess(identity, options)),
  );
  return outcomes.filter((outcome) => outcome !== 'was_gone').length;
}

/** Also those whose client of Docker Compose was killed. */
async function removeContainers({ servers }: FleetState): Promise<void> {
  const containers = Object.values(servers).flatMap(({ container, identity }) =>
    container === undefined || identity === undefined ? [] : [container],
  );
  const client = containers.length === 0 ? undefined : await findCompose();
  for (const container of client === undefined ? [] : containers) {
    // where no engine answers no container runs
    if (client !== undefined && (await engineAnswers(container.engineHost)))
      await removeComposed({ ...container, client });
  }
}

async function stopEngine(folder: string, { engine: { identity } }: FleetState): Promise<number> {
  if (identity === undefined) return 0;
  const ran = isAlive(identity);
  // also when it is gone: containers, mounts and a bridge may be left of it
  await attachPrivateEngine(engineFolder(folder), identity).stop();
  return ran ? 1 : 0;
}
