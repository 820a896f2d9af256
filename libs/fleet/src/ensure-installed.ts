import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { LiftlockError } from '#kernel';
import { findDockerEngine } from './docker-engine.js';
import { findPostgresFolder, findProgram } from './find-program.js';
import type { ServerName } from './fleet-state.js';
import { tailOf } from './server-process.js';

/** One thing that must be on the machine, and Debian's packages that bring it. */
export interface Requirement {
  readonly what: string;
  readonly packages: readonly string[];
  present(): boolean;
}

const program = (name: string, ...packages: string[]): Requirement => ({
  what: name,
  packages,
  present: () => findProgram(name) !== undefined,
});

export const SERVERS: Readonly<Record<ServerName, Requirement>> = {
  postgres: {
    what: 'PostgreSQL',
    packages: ['postgresql'],
    present: () => findPostgresFolder() !== undefined,
  },
  nats: program('nats-server', 'nats-server'),
  redis: program('redis-server', 'redis-server'),
};

/** For a Docker Engine of our own. */
const ENGINE: readonly Requirement[] = [
  program('dockerd', 'docker.io'),
  program('runc', 'runc'),
  program('containerd', 'containerd'),
  program('ip', 'iproute2'),
];

/** For the images that are built on the spot, and for what data is packed and compared with. */
const IMAGES: readonly Requirement[] = [
  program('busybox', 'busybox-static'),
  program('zstd', 'zstd'),
  program('tar', 'tar'),
  program('getfattr', 'attr'),
  program('openssl', 'openssl'),
];

/** A registry, what images are read back with, what a client's cost is measured with, shares that squash owners, and the second engine of backups: for tests and benches. */
const REGISTRY: readonly Requirement[] = [
  program('docker-registry', 'docker-registry'),
  program('skopeo', 'skopeo'),
  program('time', 'time'),
  program('bindfs', 'bindfs'),
  program('restic', 'restic'),
];

export interface InstallOptions {
  /** Also what a Docker Engine and the images built for it need; default `true`. */
  readonly docker?: boolean;
  /** Also a container registry and skopeo; default `false`. */
  readonly registry?: boolean;
  /** apt-get's output is appended here. */
  readonly logFile: string;
  readonly log?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Makes sure that the servers are on the machine: what is missing is installed from Debian's packages when we are root.
 * @throws LiftlockError `misconfigured`: one line that names what is missing and the command that installs it.
 */
export async function ensureInstalled(options: InstallOptions): Promise<void> {
  const engine = (options.docker ?? true) ? await engineRequirements() : [];
  const registry = options.registry === true ? REGISTRY : [];
  await install([...Object.values(SERVERS), ...engine, ...registry], options);
}

/** Installs those of the requirements that are missing. */
export async function install(
  wanted: readonly Requirement[],
  options: Omit<InstallOptions, 'docker' | 'registry'>,
): Promise<void> {
  const missing = wanted.filter((one) => !one.present());
  if (missing.length === 0) return;
  const packages = [...new Set(missing.flatMap((one) => one.packages))];
  const names = missing.map((one) => one.what).join(', ');
  const command = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  const apt = findProgram('apt-get');
  if (apt === undefined) {
    throw new LiftlockError(
      'misconfigured',
      `missing: ${names}. Install them with this system's package manager; on Debian: ${command}`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new LiftlockError(
      'misconfigured',
      `missing: ${names}. Install them: sudo sh -c '${command}'`,
    );
  }
  options.log?.(`installing ${packages.join(' ')} (log: ${options.logFile})`);
  const ended =
    (await aptGet(apt, ['update'], options)) &&
    (await aptGet(apt, ['install', '-y', '--no-install-recommends', ...packages], options));
  options.signal?.throwIfAborted();
  const left = missing.filter((one) => !one.present());
  if (left.length > 0) {
    const why = ended ? '' : `: ${lastError(options.logFile)}`;
    throw new LiftlockError(
      'misconfigured',
      `missing: ${left.map((one) => one.what).join(', ')}, and apt-get could not install it${why}. Try: ${command}`,
    );
  }
}

/** What images are built from, and an engine where none answers. */
export async function engineRequirements(): Promise<Requirement[]> {
  return [...IMAGES, ...((await findDockerEngine()) === undefined ? ENGINE : [])];
}

const INSTALL_DEADLINE_MS = 10 * 60_000;

function aptGet(
  apt: string,
  args: readonly string[],
  { logFile, signal }: Omit<InstallOptions, 'docker' | 'registry'>,
): Promise<boolean> {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a', 0o600);
  return new Promise((done) => {
    const child = spawn(apt, ['-o', 'DPkg::Lock::Timeout=120', ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', log, log],
      timeout: INSTALL_DEADLINE_MS,
      ...(signal ? { signal } : {}),
    });
    const end = (success: boolean): void => {
      closeSync(log);
      done(success);
    };
    child.once('error', () => end(false));
    child.once('exit', (code) => end(code === 0));
  });
}

function lastError(logFile: string): string {
  const lines = existsSync(logFile) ? tailOf(logFile).split('\n') : [];
  return lines.filter((line) => line.startsWith('E:')).at(-1) ?? `see ${logFile}`;
}
