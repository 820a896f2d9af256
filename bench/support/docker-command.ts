import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** `docker`, of one engine, as a person would call it. */
export class DockerCommand {
  /** @param prefix of the names of all containers that are made with it */
  constructor(
    private readonly host: string,
    private readonly prefix: string,
  ) {}

  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, DOCKER_HOST: this.host };
  }

  /** @returns what it says. @throws when it fails */
  async run(...args: string[]): Promise<string> {
    const { stdout } = await run('docker', args, { env: this.environment });
    return stdout;
  }

  async removeContainers(): Promise<void> {
    const found = await this.run('ps', '-aq', '--filter', `name=${this.prefix}`);
    const ids = found.split('\n').filter((id) => id !== '');
    if (ids.length > 0) await this.run('rm', '-f', ...ids);
  }
}
