import { execFile } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endProcess, readState, rootFolder, runDown, type ServerName } from '#fleet';
import { newFolder } from './shared-servers.js';

const run = promisify(execFile);
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin'];

const UP = `import { runUp } from '#fleet';
process.exit(await runUp({ folder: process.argv[1] }).catch((error) => (console.error(error.message), 1)))`;

/** This machine without some of its programs: in a mount namespace of its own (unshare(1)) something else lies over them. */
export class BareMachine {
  readonly folder = newFolder('bare');

  constructor(private readonly without: readonly string[]) {}

  /** `liftlock up` with a folder of its own: what it says. @throws with what it says when it fails. */
  async up(env: NodeJS.ProcessEnv): Promise<string> {
    const hide = this.places().map((file) => `mount --bind /dev/null '${file}'`);
    const node = [process.execPath, '--input-type=module', '--eval', UP, this.folder];
    const script = [...hide, 'exec "$@"'].join(' && ');
    const { stdout } = await run('unshare', ['--mount', 'sh', '-c', script, 'sh', ...node], {
      env,
      cwd: rootFolder(),
      timeout: 240_000,
    });
    return stdout;
  }

  /** SIGKILL for the client of Docker Compose that a server's container is attached to. */
  async killClient(name: ServerName): Promise<void> {
    const identity = readState(this.folder)?.servers[name].identity;
    if (identity === undefined) throw new Error(`${name} does not run`);
    await endProcess(identity, { signal: 'SIGKILL' });
  }

  /** The servers' containers, stopped ones included. */
  async containers(env: NodeJS.ProcessEnv): Promise<string[]> {
    const args = ['ps', '--all', '--format', '{{.Label "com.docker.compose.project"}}'];
    const { stdout } = await run('docker', args, { env });
    const projects = this.projects();
    return stdout.split('\n').filter((project) => projects.includes(project));
  }

  async remove(): Promise<void> {
    await runDown({ folder: this.folder, log: () => undefined });
    const servers = readState(this.folder)?.servers;
    for (const { container } of Object.values(servers ?? {})) {
      if (container === undefined) continue;
      const env = { ...process.env, DOCKER_HOST: container.engineHost };
      await run('docker', ['volume', 'rm', '--force', `${container.project}_data`], { env });
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  private projects(): string[] {
    const servers = Object.values(readState(this.folder)?.servers ?? {});
    return servers.flatMap(({ container }) => container?.project ?? []);
  }

  /** Debian's PostgreSQL has a folder for each version. */
  private places(): string[] {
    const postgres = '/usr/lib/postgresql';
    const versions = list(postgres).map((version) => join(postgres, version, 'bin'));
    return [...FOLDERS, ...versions].flatMap((folder) =>
      list(folder)
        .filter((name) => this.without.includes(name))
        .map((name) => join(folder, name)),
    );
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // not there: nothing is in it
  }
}
