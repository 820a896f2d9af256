import { execFile, type ExecFileOptions } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findCompose, findProgram, freePort, install, newPassword, rootFolder } from '#fleet';
import { startDocker } from './docker.js';
import { newFolder } from './shared-servers.js';

const run = promisify(execFile);
/** Milliseconds that the slowest command may take: an image that is made of Debian's packages. */
const DEADLINE_MS = 480_000;

const TOOLS = ['debootstrap', 'docker-compose'].map((name) => ({
  what: name,
  packages: [name],
  present: () => findProgram(name) !== undefined,
}));

/** The whole fleet of docker-compose.yml, from images that are made here of Debian's packages and this checkout. */
export class ComposeFleet {
  readonly name = `liftlock-test-${randomBytes(4).toString('hex')}`;
  readonly debian = `${this.name}-debian`;
  private readonly folder = newFolder('compose');
  private env: NodeJS.ProcessEnv = {};
  private compose: readonly string[] = [];
  /** Of this machine's engine, as it is here; the services have it at /var/run/docker.sock. */
  engineHost = '';
  url = '';

  /** Makes the images and the settings; nothing runs yet. */
  async prepare(): Promise<void> {
    await install(TOOLS, { logFile: join(this.folder, 'apt.log') });
    const client = await findCompose();
    const { host, socketPath } = await startDocker();
    if (client === undefined || socketPath === undefined)
      throw new Error('Docker Compose and an engine on a Unix socket of this machine are needed');
    this.engineHost = host;
    this.env = { ...process.env, DOCKER_HOST: host };
    await this.script('make-image', this.debian);
    await this.script('build-image', this.name, this.debian);
    // only now: another would have minutes to take it
    const port = await freePort();
    this.url = `http://127.0.0.1:${port}`;
    const settings = {
      POSTGRES_PASSWORD: newPassword(),
      POSTGRES_IMAGE: this.debian,
      NATS_IMAGE: this.debian,
      REDIS_IMAGE: this.debian,
      LIFTLOCK_IMAGE: this.name,
      LIFTLOCK_PUBLISH: `127.0.0.1:${port}`,
      DOCKER_SOCKET: socketPath,
      DOCKER_GROUP: String(statSync(socketPath).gid),
    };
    const file = join(this.folder, 'settings.env');
    mkdirSync(this.folder, { recursive: true });
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(file, lines.join(''), { mode: 0o600 });
    this.compose = [client.file, ...client.args, '--project-name', this.name, '--env-file', file];
  }

  async docker(...args: string[]): Promise<string> {
    return this.command('docker', args);
  }

  /** One of Docker Compose's commands, as a person at the root of the repository gives it. */
  async do(...args: string[]): Promise<string> {
    const [file = '', ...first] = this.compose;
    return this.command(file, [...first, ...args]);
  }

  /**
   * Takes all containers away, and the network. An engine of this age that ends many containers at once may count an endpoint that nobody has
   * any more (moby/moby#42119), and keep the network until it is started again: that one serves for the next `up`.
   */
  async down(...args: string[]): Promise<void> {
    try {
      await this.do('down', ...args);
    } catch (error) {
      if (!/has active endpoints/.test(String(error))) throw error;
      const left = await this.docker('ps', '--all', '--quiet', ...this.labelled({}));
      const network = `network=${this.name}_default`;
      const joined = await this.docker('ps', '--all', '--quiet', '--filter', network);
      if (left !== '' || joined !== '') throw error;
    }
  }

  async inside(service: string, ...command: string[]): Promise<string> {
    const found = await this.docker('ps', '--quiet', ...this.labelled({ service }));
    return this.docker('exec', found, ...command);
  }

  async bootstrapToken(): Promise<string> {
    const env = await this.inside('gateway', 'cat', '/config/service.env');
    return /^LIFTLOCK_BOOTSTRAP_TOKEN=(.+)$/m.exec(env)?.[1] ?? '';
  }

  /** Removes containers, volumes and images, from whatever state they are in. */
  async remove(): Promise<void> {
    if (this.compose.length > 0) await this.down('--volumes', '--timeout', '5');
    for (const image of [this.name, this.debian])
      await this.docker('rmi', '--force', image).catch(() => undefined); // never made
    await this.docker('image', 'prune', '--force', '--filter', 'label=dev.liftlock.stage=build');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** For whoever else needs the servers' images and the engine. */
  serverImages(): NodeJS.ProcessEnv {
    const images = { POSTGRES_IMAGE: this.debian, NATS_IMAGE: this.debian };
    return { ...this.env, ...images, REDIS_IMAGE: this.debian };
  }

  private labelled(labels: Readonly<Record<string, string>>): string[] {
    return Object.entries({ project: this.name, ...labels }).flatMap(([label, value]) => [
      '--filter',
      `label=com.docker.compose.${label}=${value}`,
    ]);
  }

  private script(name: string, ...args: string[]): Promise<string> {
    return this.command(join(rootFolder(), 'deploy', 'debian', name), args);
  }

  private async command(file: string, args: readonly string[]): Promise<string> {
    const options: ExecFileOptions = { env: this.env, cwd: rootFolder(), timeout: DEADLINE_MS };
    const { stdout } = await run(file, args, { ...options, maxBuffer: 64 * 1024 * 1024 });
    return String(stdout).trim();
  }
}
