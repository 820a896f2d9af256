import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { LiftlockError } from '#kernel';
import type { NatsUser } from '#contracts';
import { composedKind, execComposed, type Composed } from './composed-server.js';
import { findProgram } from './find-program.js';
import { newPassword } from './passwords.js';
import {
  ServerProcess,
  type RunningServer,
  type ServerKind,
  type StartOptions,
} from './server-process.js';
import { signalProcess, type ProcessIdentity } from './process-identity.js';

export interface NatsOptions extends StartOptions {
  /** Folder of its own; made when it is not there. */
  readonly folder: string;
  /** Who may connect, and what each may publish and subscribe to. */
  readonly users: readonly NatsUser[];
  /** Not there: nats-server of this machine. */
  readonly composed?: Composed | undefined;
}

/** A nats-server whose users can be changed while it runs. */
export interface NatsServer extends RunningServer {
  /** Writes the configuration anew and has the running server read it. */
  setUsers(users: readonly NatsUser[]): Promise<void>;
}

/** Starts nats-server with JetStream on file storage, for the given users only, on loopback. */
export async function startNats(options: NatsOptions): Promise<NatsServer> {
  const kind = natsKind(options);
  return withUsers(await ServerProcess.start(kind, options), kind);
}

export function attachNats(
  options: NatsOptions,
  port: number,
  identity: ProcessIdentity,
): NatsServer {
  const kind = natsKind(options);
  return withUsers(ServerProcess.attach(kind, port, identity, options), kind);
}

interface NatsKind extends ServerKind {
  /** Has the running server take these users, and every later start. */
  setUsers(users: readonly NatsUser[], port: number, identity: ProcessIdentity): Promise<void>;
}

function withUsers(server: ServerProcess, kind: NatsKind): NatsServer {
  return Object.assign(server, {
    setUsers: (users: readonly NatsUser[]) => kind.setUsers(users, server.port, server.identity),
  });
}

function natsKind(options: NatsOptions): NatsKind {
  if (options.composed !== undefined) return composedNats(options, options.composed);
  const program = findProgram('nats-server');
  if (program === undefined) {
    throw new LiftlockError('misconfigured', 'nats-server is missing: apt-get install nats-server');
  }
  const folder = resolve(options.folder);
  const store = join(folder, 'nats');
  const config = join(folder, 'nats.conf');
  let users = options.users;
  const name = serverName(folder);
  const configure = (port: number, wanted: readonly NatsUser[]): void => {
    users = wanted;
    mkdirSync(store, { recursive: true, mode: 0o700 });
    writeFileSync(config, configuration(name, port, store, users), { mode: 0o600 });
  };
  return {
    name: 'nats',
    logFile: join(folder, 'nats.log'),
    cwd: folder,
    stopSignal: 'SIGTERM',
    stopDeadlineMs: 10_000,
    url: urlOf,
    setUsers: async (wanted, port, identity) => {
      configure(port, wanted);
      signalProcess(identity, 'SIGHUP');
    },
    prepare: async (port) => configure(port, users),
    command: () => ({ file: program, args: ['-c', config] }),
    answers: (port) => greetsAs(name, port),
    deleteStore: async () => rmSync(store, { recursive: true, force: true }),
  };
}

function composedNats(options: NatsOptions, composed: Composed): NatsKind {
  const { folder, signal } = options;
  let text = '';
  const configure = (users: readonly NatsUser[]): void => {
    text = configuration(composed.project, 4222, '/data', users, '0.0.0.0');
  };
  configure(options.users);
  const kind = composedKind({
    ...{ name: 'nats', folder, composed, signal, url: urlOf },
    env: () => ({ NATS_CONFIGURATION: text }),
    answers: (port) => greetsAs(composed.project, port),
  });
  return {
    ...kind,
    setUsers: async (wanted) => {
      configure(wanted);
      await execComposed(composed, 'nats', 'cat >/tmp/nats.conf && kill -HUP 1', text);
    },
  };
}

function urlOf(port: number): string {
  return `nats://127.0.0.1:${port}`;
}

async function greetsAs(name: string, port: number): Promise<boolean> {
  const info = await greeting(port);
  return info?.server_name === name && info.jetstream === true;
}

/** Its name tells it from another server that took its port; kept, since clients and consumers see it. */
function serverName(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'nats.name');
  try {
    return readFileSync(file, 'utf8');
  } catch {
    const name = `liftlock-${newPassword().slice(0, 12)}`;
    writeFileSync(file, name);
    return name;
  }
}

/** The configuration's syntax takes JSON values (https://docs.nats.io/running-a-nats-service/configuration). */
export function configuration(
  name: string,
  port: number,
  store: string,
  users: readonly NatsUser[],
  host = '127.0.0.1',
): string {
  const authorization = {
    users: users.map(({ user, password, publish, subscribe }) => ({
      user,
      password,
      // an empty list would mean "all": so what may nothing is denied everything
      permissions: {
        publish: allowOrNothing(publish.allow),
        subscribe: allowOrNothing(subscribe.allow),
      },
    })),
  };
  return [
    `server_name: ${JSON.stringify(name)}`,
    `host: ${JSON.stringify(host)}`,
    `port: ${port}`,
    'max_payload: 1MB',
    'write_deadline: "10s"',
    `jetstream: { store_dir: ${JSON.stringify(store)}, max_memory_store: 64MB, max_file_store: 4GB }`,
    `authorization: ${JSON.stringify(authorization)}`,
    '',
  ].join('\n');
}

function allowOrNothing(allow: readonly string[]): { allow: readonly string[] } | { deny: string } {
  return allow.length === 0 ? { deny: '>' } : { allow };
}

interface Greeting {
  readonly server_name?: unknown;
  readonly jetstream?: unknown;
}

/** The INFO line that a NATS server sends to whoever connects. */
function greeting(port: number): Promise<Greeting | undefined> {
  return new Promise((done) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', port, timeout: 2_000 });
    const end = (value: Greeting | undefined): void => {
      socket.destroy();
      done(value);
    };
    socket.on('error', () => end(undefined));
    socket.on('timeout', () => end(undefined));
    socket.on('close', () => done(undefined));
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8');
      if (!text.includes('\r\n')) return;
      const line = text.slice(0, text.indexOf('\r\n'));
      try {
        end(line.startsWith('INFO ') ? (JSON.parse(line.slice(5)) as Greeting) : undefined);
      } catch {
        end(undefined);
      }
    });
  });
}
