import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rootFolder, startPrivateEngine, type DockerEngine } from '#fleet';

const run = promisify(execFile);
const PROGRAM = join(rootFolder(), 'examples/lightwave/lightwave');

export const NODES = [1, 2] as const;
export type Node = (typeof NODES)[number];

/** Two Docker Engines of one test file's own, and the images of examples/lightwave as tars. */
export class LightwaveHosts {
  private constructor(
    /** Of the tars and of the replicas' configuration. */
    readonly home: string,
    private readonly engines: Readonly<Record<Node, DockerEngine>>,
  ) {}

  static async start(): Promise<LightwaveHosts> {
    const home = mkdtempSync(join(tmpdir(), 'liftlock-lightwave-'));
    const start = (node: Node): Promise<DockerEngine> =>
      startPrivateEngine({ folder: join(home, `engine-${node}`), tied: true });
    const [first, second] = await Promise.allSettled([start(1), start(2)]);
    if (first.status === 'rejected' || second.status === 'rejected') {
      const failed = [first, second].filter((one) => one.status === 'rejected');
      // nobody else knows of the other
      for (const one of [first, second]) if (one.status === 'fulfilled') await one.value.remove();
      rmSync(home, { recursive: true, force: true });
      throw new AggregateError(
        failed.map(({ reason }): unknown => reason),
        'an engine did not start',
      );
    }
    const hosts = new LightwaveHosts(home, { 1: first.value, 2: second.value });
    await hosts.run(['images']);
    return hosts;
  }

  host(node: Node): string {
    return this.engines[node].host;
  }

  /** The example's own program. */
  async run(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { stdout } = await run(PROGRAM, words, {
      env: {
        ...process.env,
        LIGHTWAVE_HOME: this.home,
        LIGHTWAVE_ENGINES: NODES.map((node) => this.host(node)).join(' '),
        ...env,
      },
    });
    return stdout;
  }

  async docker(node: Node, ...words: string[]): Promise<string> {
    const env = { ...process.env, DOCKER_HOST: this.host(node) };
    return (await run('docker', words, { env, maxBuffer: 64 * 1024 * 1024 })).stdout.trim();
  }

  async stop(): Promise<void> {
    await Promise.all(NODES.map((node) => this.engines[node].remove()));
    rmSync(this.home, { recursive: true, force: true });
  }
}
