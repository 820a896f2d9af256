import { spawn, type ChildProcess } from 'node:child_process';
import { addAbortListener, once } from 'node:events';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { PLAIN_ENV, Tail } from '#drivers/data';
import { LiftlockError } from '#kernel';
import { resticError } from './restic-errors.js';

/** Milliseconds in which restic gives its lock back when it is interrupted. */
const CLEAN_UP_MS = 10_000;

export interface ResticRun {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** For messages. */
  readonly what: string;
  readonly signal: AbortSignal;
}

/** restic at work once; it is interrupted when the signal is aborted. */
export class ResticProcess {
  private readonly child: ChildProcess;
  private readonly words = new Tail();
  private readonly exit: Promise<{ readonly code: number | undefined; readonly error?: Error }>;
  private isOver = false;

  constructor(private readonly run: ResticRun) {
    const { program, args, env, signal } = run;
    signal.throwIfAborted();
    // a service that is interrupted from a terminal ends by itself what it started
    const options = { cwd: '/', detached: true, env: { ...PLAIN_ENV, ...env } };
    this.child = spawn(program, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdin, stderr } = this.child;
    // one that has ended takes nothing in any more: its own words say more than a broken pipe
    stdin?.on('error', () => undefined);
    stderr?.on('data', this.words.add);
    const ended = Promise.withResolvers<Awaited<ResticProcess['exit']>>();
    this.child.once('error', (error) => ended.resolve({ code: undefined, error }));
    this.child.once('close', (code) => ended.resolve({ code: code ?? undefined }));
    const abort = addAbortListener(signal, () => void this.end());
    this.exit = ended.promise.finally(() => {
      this.isOver = true;
      abort[Symbol.dispose]();
    });
  }

  get output(): Readable {
    if (this.child.stdout === null) throw new Error('restic was started without its pipes');
    return this.child.stdout;
  }

  /** All that it says on its standard output. @throws LiftlockError unless it ended well */
  async said(): Promise<string> {
    this.child.stdin?.end();
    const text = await buffer(this.output);
    await this.ended();
    return text.toString('utf8');
  }

  /** Gives it some of its standard input. @returns false when it takes nothing any more */
  async take(chunk: Buffer): Promise<boolean> {
    const { stdin } = this.child;
    if (this.isOver || stdin === null) return false;
    if (stdin.write(chunk)) return true;
    const over = new AbortController();
    const drained = once(stdin, 'drain', { signal: over.signal });
    drained.catch(() => undefined);
    await Promise.race([drained, this.exit]);
    over.abort();
    return !this.isOver;
  }

  /** Its standard input ends here. */
  endInput(): void {
    this.child.stdin?.end();
  }

  /** @throws LiftlockError unless it ended with code 0 */
  async ended(): Promise<void> {
    const { code, error } = await this.exit;
    const { what, signal } = this.run;
    signal.throwIfAborted();
    if (error !== undefined)
      throw new LiftlockError('misconfigured', `${what}: restic cannot be run: ${error.message}`, {
        cause: error,
      });
    if (code !== 0) throw resticError(what, code, this.words.toString());
  }

  /** Interrupts it: of a backup that has not ended there is then no snapshot. One that has ended is left alone. */
  async end(): Promise<void> {
    if (this.isOver) return;
    this.child.kill('SIGINT');
    const late = setTimeout(() => this.child.kill('SIGKILL'), CLEAN_UP_MS);
    this.child.stdout?.resume();
    await this.exit;
    clearTimeout(late);
  }
}
