import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { APPS } from '#contracts';
import { LiftlockError } from '#kernel';
import { newPassword, newPasswords } from './passwords.js';
import { processIdentity } from './process-identity.js';

const perApp = z.strictObject(
  Object.fromEntries(APPS.map((app) => [app, z.string()])) as Record<
    (typeof APPS)[number],
    z.ZodString
  >,
);

/** A server or service: the port stays its own also while it does not run. */
const running = z.strictObject({
  port: z.int().positive().optional(),
  /** Not there: it was stopped. There: it ran when the file was written, which says nothing about now. */
  identity: processIdentity.optional(),
});

/** Where it has its data stays so: with this it is a container of Docker Compose, else a process of this machine. */
const server = running.extend({
  container: z.strictObject({ project: z.string(), engineHost: z.string() }).optional(),
});

const fleetState = z.strictObject({
  format: z.literal(1),
  passwords: z.strictObject({
    postgres: z.string(),
    redis: z.string(),
    /** of the services' database roles */
    database: perApp,
    /** of the services' NATS users */
    nats: perApp,
    /** of the NATS user `subscriber`, who may only read events */
    subscriber: z.string(),
  }),
  /** The admin's bearer token. */
  token: z.string(),
  servers: z.strictObject({ postgres: server, nats: server, redis: server }),
  engine: running,
  services: z.array(
    z.strictObject({
      app: z.enum(APPS),
      replica: z.int().min(1),
      port: z.int().positive(),
      identity: processIdentity.optional(),
      /** Digest of environment and build: another one means that the process is to be replaced. */
      digest: z.string(),
    }),
  ),
});

/** What one process must know of a fleet that another one started. Holds secrets: mode 0600. */
export type FleetState = z.infer<typeof fleetState>;
export type ServerName = keyof FleetState['servers'];
export type ServiceState = FleetState['services'][number];

export function stateFile(folder: string): string {
  return join(folder, 'state.json');
}

/** A fleet that never ran: new passwords, no processes. */
export function newState(): FleetState {
  return {
    format: 1,
    passwords: {
      postgres: newPassword(),
      redis: newPassword(),
      database: newPasswords(APPS),
      nats: newPasswords(APPS),
      subscriber: newPassword(),
    },
    token: newPassword(),
    servers: { postgres: {}, nats: {}, redis: {} },
    engine: {},
    services: [],
  };
}

/** The state in this folder; `undefined` when there is none. */
export function readState(folder: string): FleetState | undefined {
  const file = stateFile(folder);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return fleetState.parse(JSON.parse(text));
  } catch (cause) {
    throw new LiftlockError(
      'misconfigured',
      `${file} cannot be read (by another version, or damaged): stop what it names, then remove ${folder} to begin anew`,
      { cause },
    );
  }
}

/** Replaces the state at once: a reader sees the old or the new one, never half of one. */
export function writeState(folder: string, state: FleetState): void {
  mkdirSync(folder, { recursive: true });
  const file = stateFile(folder);
  const fresh = `${file}.${process.pid}`;
  writeFileSync(fresh, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(fresh, file);
}
