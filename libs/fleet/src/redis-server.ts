import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { LiftlockError } from '#kernel';
import { composedKind, type Composed } from './composed-server.js';
import { findProgram } from './find-program.js';
import {
  ServerProcess,
  type RunningServer,
  type ServerKind,
  type StartOptions,
} from './server-process.js';
import type { ProcessIdentity } from './process-identity.js';

export interface RedisOptions extends StartOptions {
  /** Folder of its own; made when it is not there. */
  readonly folder: string;
  readonly password: string;
  /** Not there: redis-server of this machine. */
  readonly composed?: Composed | undefined;
}

/** Starts redis-server with its append-only file on, behind a password, on loopback. */
export async function startRedis(options: RedisOptions): Promise<RunningServer> {
  return ServerProcess.start(redisKind(options), options);
}

export function attachRedis(
  options: RedisOptions,
  port: number,
  identity: ProcessIdentity,
): RunningServer {
  return ServerProcess.attach(redisKind(options), port, identity, options);
}

function redisKind({ folder: given, password, composed, signal }: RedisOptions): ServerKind {
  const url = (port: number): string => `redis://:${password}@127.0.0.1:${port}`;
  if (composed !== undefined) {
    const text = configuration({ bind: '0.0.0.0', port: 6379, store: '/data', password });
    return composedKind({
      ...{ name: 'redis', folder: given, composed, signal, url },
      env: () => ({ REDIS_CONFIGURATION: text }),
      answers: (port) => ping(port, password),
    });
  }
  const program = findProgram('redis-server');
  if (program === undefined) {
    throw new LiftlockError(
      'misconfigured',
      'redis-server is missing: apt-get install redis-server',
    );
  }
  const folder = resolve(given);
  const store = join(folder, 'redis');
  const config = join(folder, 'redis.conf');
  return {
    name: 'redis',
    logFile: join(folder, 'redis.log'),
    cwd: folder,
    stopSignal: 'SIGTERM',
    stopDeadlineMs: 10_000,
    url,
    prepare: async (port) => {
      mkdirSync(store, { recursive: true, mode: 0o700 });
      const text = configuration({ bind: '127.0.0.1', port, store, password });
      writeFileSync(config, text, { mode: 0o600 });
    },
    command: () => ({ file: program, args: [config] }),
    answers: (port) => ping(port, password),
    deleteStore: async () => rmSync(store, { recursive: true, force: true }),
  };
}

export interface RedisConfiguration {
  /** Address that it listens on. */
  readonly bind: string;
  readonly port: number;
  /** Folder of the append-only file. */
  readonly store: string;
  readonly password: string;
}

/** `noeviction` because BullMQ's keys must never be thrown away; no snapshots, since the append-only file holds all. */
export function configuration({ bind, port, store, password }: RedisConfiguration): string {
  return [
    `bind ${bind}`,
    `port ${port}`,
    `dir ${JSON.stringify(store)}`,
    `requirepass ${password}`,
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
    'daemonize no',
    '',
  ].join('\n');
}

/** AUTH and PING by hand (RESP), so that no client with reconnects of its own is needed. */
function ping(port: number, password: string): Promise<boolean> {
  return new Promise((done) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', port, timeout: 2_000 });
    const end = (value: boolean): void => {
      socket.destroy();
      done(value);
    };
    socket.on('connect', () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    socket.on('error', () => end(false));
    socket.on('timeout', () => end(false));
    socket.on('close', () => done(false));
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8');
      if (text.startsWith('-') || text.includes('\r\n-')) end(false);
      else if (text.includes('+PONG')) end(true);
    });
  });
}
