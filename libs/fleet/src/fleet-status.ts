import type { FleetState } from './fleet-state.js';
import { isPortFree } from './ports.js';
import { isAlive, type ProcessIdentity } from './process-identity.js';
import { isServiceReady } from './service-health.js';

/**
 * `running`: the process is there and answers; `not ready`: it is there and does not; `stopped`: it was stopped;
 * `gone`: it ended by itself, was killed, or the machine was restarted.
 */
export type ProcessStatus = 'running' | 'not ready' | 'stopped' | 'gone';

export interface StatusRow {
  readonly name: string;
  readonly status: ProcessStatus;
  readonly pid: number | undefined;
  readonly port: number | undefined;
}

/** One row for each server and service of a fleet. */
export async function fleetStatus(state: FleetState): Promise<StatusRow[]> {
  const servers = Object.entries(state.servers).map(([name, { port, identity }]) =>
    row(name, port, identity, async (at) => !(await isPortFree(at))),
  );
  const engine =
    state.engine.identity === undefined
      ? []
      : [row('docker', undefined, state.engine.identity, async () => true)];
  const services = state.services
    .toSorted((a, b) => a.app.localeCompare(b.app) || a.replica - b.replica)
    .map(({ app, replica, port, identity }) =>
      row(replica === 1 ? app : `${app}-${replica}`, port, identity, isServiceReady),
    );
  return Promise.all([...servers, ...engine, ...services]);
}

async function row(
  name: string,
  port: number | undefined,
  identity: ProcessIdentity | undefined,
  answers: (port: number) => Promise<boolean>,
): Promise<StatusRow> {
  const base = { name, port, pid: identity?.pid };
  if (identity === undefined) return { ...base, status: 'stopped' };
  if (!isAlive(identity)) return { ...base, status: 'gone', pid: undefined };
  return { ...base, status: port === undefined || (await answers(port)) ? 'running' : 'not ready' };
}
