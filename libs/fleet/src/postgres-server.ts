import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { LiftlockError } from '#kernel';
import { composedKind, type Composed } from './composed-server.js';
import { findPostgresFolder } from './find-program.js';
import {
  ServerProcess,
  type RunningServer,
  type ServerKind,
  type StartOptions,
} from './server-process.js';
import type { ProcessIdentity } from './process-identity.js';
import type { RunAs } from './spawn-detached.js';
import { canEnter, unprivilegedUser } from './unprivileged-user.js';

const run = promisify(execFile);

export interface PostgresOptions extends StartOptions {
  /** Folder of its own; made when it is not there. */
  readonly folder: string;
  /** Password of the superuser `postgres`. */
  readonly password: string;
  /** Not there: PostgreSQL of this machine. */
  readonly composed?: Composed | undefined;
  /** `false` only for tests: data would not survive a power cut. Default `true`. */
  readonly fsync?: boolean | undefined;
}

/** Nothing tidies it up, other than /tmp and /var/tmp, and every user can walk to it. Only root needs it, and may write there. */
const FALLBACK_PARENT = '/var/lib';

/** Starts PostgreSQL (and makes its cluster the first time), with password authentication on loopback only. */
export async function startPostgres(options: PostgresOptions): Promise<RunningServer> {
  return ServerProcess.start(postgresKind(options), options);
}

export function attachPostgres(
  options: PostgresOptions,
  port: number,
  identity: ProcessIdentity,
): RunningServer {
  return ServerProcess.attach(postgresKind(options), port, identity, options);
}

function postgresKind(options: PostgresOptions): ServerKind {
  if (options.composed !== undefined) return composedPostgres(options, options.composed);
  const bin = findPostgresFolder();
  if (bin === undefined) {
    throw new LiftlockError('misconfigured', 'PostgreSQL is missing: apt-get install postgresql');
  }
  const runAs = unprivilegedUser();
  const home = homeFolder(resolve(options.folder), runAs);
  const data = join(home, 'data');
  const url = urlWith(options.password);
  return {
    name: 'postgres',
    logFile: join(resolve(options.folder), 'postgres.log'),
    cwd: '/',
    runAs,
    stopSignal: 'SIGINT', // "fast": sessions are ended, a checkpoint is written
    stopDeadlineMs: 20_000,
    // sessions that have not ended yet; a postmaster that has, and that nobody has reaped yet
    storeInUse: /pre-existing shared memory block|lock file "postmaster.pid" already exists/,
    url,
    async prepare() {
      if (!existsSync(data)) await createCluster(bin, home, options, runAs);
      refuseOtherMajor(bin, data);
    },
    command: (port) => ({
      file: join(bin, 'postgres'),
      args: [
        '-D',
        data,
        '-p',
        String(port),
        ...(options.fsync === false ? ['-c', 'fsync=off', '-c', 'full_page_writes=off'] : []),
      ],
    }),
    // a server of someone else could be on the port: the folder tells
    answers: (port) => shows(url(port), 'data_directory', data),
    deleteStore: async () => rmSync(home, { recursive: true, force: true }),
  };
}

function composedPostgres(options: PostgresOptions, composed: Composed): ServerKind {
  const { folder, password, signal } = options;
  const url = urlWith(password);
  return composedKind({
    ...{ name: 'postgres', folder, composed, signal, url },
    env: () => ({ POSTGRES_PASSWORD: password }),
    answers: (port) => shows(url(port), 'cluster_name', composed.project),
  });
}

function urlWith(password: string): (port: number) => string {
  return (port) => `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
}

/** Whether a server answers that has this setting. */
async function shows(
  url: string,
  setting: 'data_directory' | 'cluster_name',
  value: string,
): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<Record<string, string>>(`SHOW ${setting}`);
    return rows[0]?.[setting] === value;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Where its data is: in the folder given, else, when the user cannot walk to that, in the system's folder for data, with a link
 * from the folder given. Without its link it belongs to a folder that was removed, with the passwords: this one begins anew.
 */
function homeFolder(folder: string, runAs: RunAs | undefined): string {
  mkdirSync(folder, { recursive: true });
  const home = join(folder, 'postgres');
  const known = lstatSync(home, { throwIfNoEntry: false });
  if (known?.isSymbolicLink() === true) return own(readlinkSync(home), runAs);
  if (runAs === undefined || canEnter(runAs, folder)) return own(home, runAs);
  const elsewhere = own(join(FALLBACK_PARENT, `liftlock-${randomUUID()}`), runAs);
  symlinkSync(elsewhere, home);
  return elsewhere;
}

function own(home: string, runAs: RunAs | undefined): string {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const found = lstatSync(home);
  const uid = runAs?.uid ?? process.getuid?.();
  // a folder under a guessable name could be someone else's trap
  if (!found.isDirectory() || (found.uid !== uid && found.uid !== process.getuid?.())) {
    throw new LiftlockError(
      'misconfigured',
      `${home} belongs to someone else (uid ${found.uid}): remove it`,
    );
  }
  if (runAs !== undefined) chownSync(home, runAs.uid, runAs.gid);
  return home;
}

/** Made beside its place and moved there at the end, so that an interrupted one is never taken for a whole one. */
async function createCluster(
  bin: string,
  home: string,
  options: PostgresOptions,
  runAs: RunAs | undefined,
): Promise<void> {
  own(home, runAs);
  const fresh = join(home, 'data.new');
  rmSync(fresh, { recursive: true, force: true });
  const passwordFile = join(home, 'password');
  writeFileSync(passwordFile, options.password, { mode: 0o600 });
  if (runAs !== undefined) chownSync(passwordFile, runAs.uid, runAs.gid);
  try {
    await run(
      join(bin, 'initdb'),
      [
        '-D',
        fresh,
        '-U',
        'postgres',
        '-A',
        'scram-sha-256',
        '--pwfile',
        passwordFile,
        '-E',
        'UTF8',
        '--locale',
        'C.UTF-8',
        ...(options.fsync === false ? ['--no-sync'] : []),
      ],
      { ...runAs, cwd: '/', timeout: 120_000 },
    );
  } catch (cause) {
    const output =
      cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
    throw new LiftlockError('misconfigured', `PostgreSQL's initdb failed in ${home}: ${output}`, {
      cause,
    });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  writeFileSync(join(fresh, 'postgresql.auto.conf'), SETTINGS);
  renameSync(fresh, join(home, 'data'));
}

/** The whole fleet's memory at rest is bounded, and eight services with small pools need their connections. */
const SETTINGS = `listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 32MB
log_timezone = 'UTC'
timezone = 'UTC'
log_min_messages = warning
`;

function refuseOtherMajor(bin: string, data: string): void {
  const made = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  const major = /postgresql\/(\d+)\/bin$/.exec(bin)?.[1];
  if (major !== undefined && major !== made) {
    throw new LiftlockError(
      'misconfigured',
      `${data} was made by PostgreSQL ${made} and this machine has ${major}: apt-get install postgresql-${made}, or remove the folder to begin anew`,
    );
  }
}
