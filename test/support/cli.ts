import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { rootFolder } from '#fleet';
import { waitFor } from '#kernel';

/** Milliseconds until one that does not end is ended: an upgrade of pods takes minutes on a busy machine. */
const DEADLINE_MS = 600_000;

/** What Linux says of a process, told on its fourth descriptor when it ends: whoever looked from outside might look too late. */
const TELLS_STATUS = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync, writeSync } from 'node:fs';
  process.on('exit', () => writeSync(3, readFileSync('/proc/self/status')));
`)}`;

export interface CliEnd {
  /** Exit code; -1 when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built CLI as a process of its own, without a terminal. */
export class CliRun {
  stdout = '';
  stderr = '';
  private status = '';
  readonly end: Promise<CliEnd>;

  constructor(private readonly child: ChildProcess) {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    child.stdio[3]?.on('data', (bytes: Buffer) => (this.status += bytes.toString('utf8')));
    this.end = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) =>
        resolve({ code: code ?? -1, stdout: this.stdout, stderr: this.stderr }),
      );
    });
  }

  /** Waits until it has said something. */
  async untilSaid(text: string, deadlineMs = 60_000): Promise<void> {
    await waitFor(() => `${this.stdout}${this.stderr}`.includes(text), {
      what: `the CLI says ${JSON.stringify(text)}`,
      deadlineMs,
      everyMs: 20,
    });
  }

  /** The most that it had in memory at a time (`VmHWM` of proc(5)), in bytes, as one that is measured says at its end. */
  async peakBytes(): Promise<number> {
    await this.end;
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(this.status)?.[1]) * 1024;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }
}

export class Cli {
  constructor(private readonly env: Readonly<Record<string, string>>) {}

  /** One for a fleet, as whoever has this token. */
  static of(server: string, token: string): Cli {
    return new Cli({ LIFTLOCK_SERVER: server, LIFTLOCK_TOKEN: token });
  }

  start(args: readonly string[], input = '', { isMeasured = false } = {}): CliRun {
    const main = join(rootFolder(), 'dist', 'apps', 'cli', 'src', 'main.js');
    const { LIFTLOCK_SERVER: _server, LIFTLOCK_TOKEN: _token, ...rest } = process.env;
    const first = isMeasured ? ['--import', TELLS_STATUS] : [];
    const child = spawn(process.execPath, ['--enable-source-maps', ...first, main, ...args], {
      env: { ...rest, ...this.env },
      stdio: ['pipe', 'pipe', 'pipe', ...(isMeasured ? (['pipe'] as const) : [])],
      timeout: DEADLINE_MS,
    });
    child.stdin?.end(input);
    return new CliRun(child);
  }

  run(args: readonly string[], input?: string): Promise<CliEnd> {
    return this.start(args, input).end;
  }
}
