import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import Docker from 'dockerode';
import {
  attachPrivateEngine,
  endProcess,
  identify,
  isAlive,
  startPrivateEngine,
  type DockerEngine,
  type ProcessIdentity,
} from '#fleet';
import { waitFor } from '#kernel';
import { newFolder } from './shared-servers.js';

/** A Docker Engine of one test file's own, which it may kill. It ends with the test process. */
export class OwnEngine {
  private readonly command: readonly string[];

  private constructor(
    private readonly folder: string,
    private readonly args: readonly string[],
    private engine: DockerEngine,
  ) {
    const { pid } = this.identity;
    this.command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  }

  /**
   * @param args more arguments for dockerd
   * @param disk size of all that it may keep, as mount(8) takes it: `64m`; default: the machine's
   */
  static async start(args: readonly string[] = [], disk?: string): Promise<OwnEngine> {
    const folder = newFolder('engine');
    if (disk !== undefined) {
      mkdirSync(join(folder, 'data'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${disk}`, 'tmpfs', join(folder, 'data')]);
    }
    const engine = await startPrivateEngine({ folder, tied: true, args });
    return new OwnEngine(folder, args, engine);
  }

  /** As an endpoint: `unix://…` */
  get host(): string {
    return this.engine.host;
  }

  get socketPath(): string {
    return this.host.slice('unix://'.length);
  }

  get docker(): Docker {
    // not the environment's
    return new Docker({ socketPath: this.socketPath, host: undefined } as Docker.DockerOptions);
  }

  /** Where it keeps everything. */
  get dataFolder(): string {
    return join(this.folder, 'data');
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.dataFolder);
    return bavail * bsize;
  }

  private get identity(): ProcessIdentity {
    const { identity } = this.engine;
    if (identity === undefined) throw new Error('the engine is not our own');
    return identity;
  }

  /** SIGKILL: nobody is told, nothing is put away; containers run on. */
  async kill9(): Promise<void> {
    await endProcess(this.identity, { signal: 'SIGKILL' });
  }

  /** After `kill9`: the same engine again, which finds its containers as they are by now. */
  async comeBack(): Promise<void> {
    // on a busy machine its containerd may not answer in the time that dockerd gives it: then it ends
    await waitFor(() => this.comesBack(), { what: 'the engine is back', deadlineMs: 180_000 });
  }

  private async comesBack(): Promise<boolean> {
    await this.forgetContainerd();
    this.endHalfStarts();
    const identity = await this.respawn();
    this.engine = attachPrivateEngine(this.folder, identity);
    const look = async (): Promise<'back' | 'ended' | undefined> => {
      if (await this.engine.isRunning()) return 'back';
      return isAlive(identity) ? undefined : 'ended';
    };
    const options = { what: 'the engine answers', deadlineMs: 120_000 };
    return (await waitFor(look, options)) === 'back';
  }

  /** After `kill9`: as a host does that was switched off and on; whatever ran has ended in an instant. */
  async reboot(): Promise<void> {
    // ends what still runs, takes the mounts away and empties /run
    await this.engine.stop();
    const options = { folder: this.folder, tied: true, args: this.args };
    // on a busy machine its containerd may not answer in the time that dockerd gives it
    this.engine = await waitFor(() => startPrivateEngine(options), {
      what: 'the engine is back after a reboot',
      deadlineMs: 180_000,
    });
  }

  /** It dies with its engine; where nobody reaps it, the engine would take the remains for the living one. */
  private async forgetContainerd(): Promise<void> {
    const file = join(dirname(this.socketPath), 'exec', 'containerd', 'containerd.pid');
    if (!existsSync(file)) return;
    const pid = Number(readFileSync(file, 'utf8'));
    await waitFor(() => identify(pid) === undefined, {
      what: 'containerd ends',
      deadlineMs: 60_000,
    });
    rmSync(file, { force: true });
  }

  /** What it was just starting, which 20.10 would find neither running nor gone, and start no more (docs/drivers/docker.md). */
  private endHalfStarts(): void {
    const processes = readdirSync('/proc').flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return [{ pid: Number(pid), parent: Number(parent), command }];
      } catch {
        return []; // no process, or none any more
      }
    });
    const socket = join(dirname(this.socketPath), 'exec', 'containerd', 'containerd.sock');
    for (const { pid, command } of processes) {
      if (!/containerd-shim/.test(command[0] ?? '') || !command.includes(socket)) continue;
      if (this.countsAsRunning(command[command.indexOf('-id') + 1] ?? '')) continue;
      const children = processes.filter(({ parent }) => parent === pid);
      for (const one of [pid, ...children.map((child) => child.pid)]) {
        try {
          process.kill(one, 'SIGKILL');
        } catch {
          // it has ended by itself
        }
      }
    }
  }

  /** As the engine wrote it down. */
  private countsAsRunning(container: string): boolean {
    try {
      const file = join(this.dataFolder, 'containers', container, 'config.v2.json');
      const { State } = JSON.parse(readFileSync(file, 'utf8')) as { State: { Running: boolean } };
      return State.Running;
    } catch {
      return false; // it was being removed
    }
  }

  private async respawn(): Promise<ProcessIdentity> {
    const log = openSync(join(this.folder, 'dockerd.log'), 'a');
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', ...this.command], {
      cwd: '/',
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin` },
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child.unref();
    return waitFor(() => (child.pid === undefined ? undefined : identify(child.pid)), {
      what: 'dockerd runs again',
      deadlineMs: 60_000,
    });
  }

  async stop(): Promise<void> {
    await this.engine.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
