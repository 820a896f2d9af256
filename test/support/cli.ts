import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootFolder } from '#fleet';
import { waitFor } from '#kernel';

const DEADLINE_MS = 120_000;

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
  readonly end: Promise<CliEnd>;

  constructor(private readonly child: ChildProcess) {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
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

  /** The most that it had in memory at a time (`VmHWM` of proc(5)), in bytes; waits for its end. */
  async peakBytes(): Promise<number> {
    const { pid } = this.child;
    let peak = 0;
    let hasEnded = false;
    void this.end.finally(() => (hasEnded = true)).catch(() => undefined);
    await waitFor(
      () => {
        try {
          const status = readFileSync(`/proc/${pid}/status`, 'utf8');
          peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? peak / 1024) * 1024;
        } catch {
          // it has ended
        }
        return hasEnded;
      },
      { what: 'the end of the CLI', deadlineMs: DEADLINE_MS, everyMs: 20 },
    );
    return peak;
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

  start(args: readonly string[], input = ''): CliRun {
    const main = join(rootFolder(), 'dist', 'apps', 'cli', 'src', 'main.js');
    const { LIFTLOCK_SERVER: _server, LIFTLOCK_TOKEN: _token, ...rest } = process.env;
    const child = spawn(process.execPath, ['--enable-source-maps', main, ...args], {
      env: { ...rest, ...this.env },
      stdio: 'pipe',
      timeout: DEADLINE_MS,
    });
    child.stdin.end(input);
    return new CliRun(child);
  }

  run(args: readonly string[], input?: string): Promise<CliEnd> {
    return this.start(args, input).end;
  }
}
