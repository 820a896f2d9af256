import { spawn, type ChildProcess } from 'node:child_process';
import { addAbortListener } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { Transform, pipeline, type Readable, type Stream, type Writable } from 'node:stream';
import { pipeline as pipelineDone } from 'node:stream/promises';
import { callbackify } from 'node:util';
import type { AtWork, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { LOSS } from './data-errors.js';
import type { DataTools } from './data-tools.js';
import { Tail, type ErrorText } from './error-text.js';
import type { LocalRunner, ScriptRun } from './scripted-data.js';
import { asVariable, endLeftovers, kill, markOf } from './script-marks.js';

/** As a shell tells the number of the signal that ended a process. */
const ENDED_BY: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGTERM: 143,
  SIGPIPE: 141,
};
const KILLED = 137;

/**
 * Runs scripts by this machine's own shell. All of one end with the process that began it, however that ends, and at the latest when the next
 * attempt at the same begins.
 */
export class LocalScripts implements LocalRunner {
  /** @param of names what the scripts work on: two of one upgrade are never wanted at the same time */
  constructor(
    private readonly context: StepContext,
    private readonly tools: DataTools,
    private readonly of: string,
  ) {}

  async forOutput(
    run: ScriptRun,
    errors: ErrorText = new Tail(),
    input?: Promise<string>,
  ): Promise<Readable> {
    const script = await this.start(run, errors);
    script.tell(input);
    return this.outputOf(script, run);
  }

  async fromFile<T>(
    file: FileHandle,
    run: ScriptRun,
    take: (output: Readable) => Promise<T>,
  ): Promise<T> {
    const script = await this.start(run, new Tail(), { input: file });
    const output = this.outputOf(script, run);
    try {
      return await take(output);
    } finally {
      output.destroy();
      script.end();
      await script.exited;
    }
  }

  private outputOf(script: Script, run: ScriptRun): Readable {
    const { context } = this;
    const ended = callbackify(() => script.ended());
    const output = new Transform({
      transform: (chunk, _encoding, done) => done(null, chunk),
      flush: (done) => ended((error) => done(error)),
    });
    pipeline(script.stdout, output, () => undefined); // an error reaches the reader through `output`
    const abort = (): void => void output.destroy(abortedBy(context.signal, run.what));
    const listener = addAbortListener(context.signal, abort);
    output.once('close', () => {
      listener[Symbol.dispose]();
      script.end();
    });
    return output;
  }

  async withInput(run: ScriptRun, input: Readable): Promise<void> {
    const { context } = this;
    const errors = new Tail();
    let script: Script;
    try {
      script = await this.start(run, errors);
    } catch (error) {
      input.destroy();
      throw error;
    }
    script.stdout.resume();
    const abort = addAbortListener(context.signal, () => script.end());
    try {
      // one that has ended takes nothing in any more: its own words say more than our broken pipe
      const over = new AbortController();
      void script.exited.then(() => over.abort());
      const signal = AbortSignal.any([context.signal, over.signal]);
      const inputError = await pipelineDone(input, script.stdin, { signal }).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (context.signal.aborted) throw abortedBy(context.signal, run.what);
      const isInputs =
        inputError !== undefined && !over.signal.aborted && !isBrokenPipe(inputError);
      if (isInputs) throw LiftlockError.from(inputError);
      await this.untilEnded(script, run);
      if (inputError !== undefined && !input.readableEnded)
        throw new LiftlockError('data_corrupt', `${run.what} ended before all of it was read`, {
          cause: inputError,
        });
    } finally {
      abort[Symbol.dispose]();
      script.end();
      await script.exited;
    }
  }

  async intoFile(
    file: FileHandle,
    run: ScriptRun,
    errors: ErrorText,
    input: Promise<string>,
  ): Promise<AtWork> {
    const script = await this.start(run, errors, { output: file });
    script.tell(input);
    const ended = this.untilEnded(script, run);
    // whoever waits for it sees it
    ended.catch(() => undefined);
    return { ended, end: () => script.end() };
  }

  /** Ends it when the attempt is ended. */
  private async untilEnded(script: Script, run: ScriptRun): Promise<void> {
    const { signal } = this.context;
    const abort = addAbortListener(signal, () => script.end());
    try {
      await script.ended();
    } catch (error) {
      throw signal.aborted ? abortedBy(signal, run.what) : error;
    } finally {
      abort[Symbol.dispose]();
    }
    if (signal.aborted) throw abortedBy(signal, run.what);
  }

  /** Its standard input and output are pipes where no files are given. */
  private async start(
    run: ScriptRun,
    errors: ErrorText,
    { input, output }: { readonly input?: FileHandle; readonly output?: FileHandle } = {},
  ): Promise<Script> {
    const { context, tools, of } = this;
    await endLeftovers(context, of);
    await context.guard();
    context.signal.throwIfAborted();
    const [shell = 'sh', ...words] = tools.start.sh;
    const child = spawn(shell, [...words, '-c', withWatch(run.script)], {
      cwd: '/',
      // a group of its own: it is ended with all that it started
      detached: true,
      env: { LC_ALL: 'C', PATH: '/nowhere', ...asVariable(markOf(context, of)) },
      stdio: [input?.fd ?? 'pipe', output?.fd ?? 'pipe', 'pipe', 'pipe'],
    });
    return new Script(child, run, errors);
  }
}

/**
 * The third descriptor is our end of a pipe on which nothing is ever said: when it is closed, be it that we were killed, everything that is
 * left of the script goes.
 */
function withWatch(script: string): string {
  return [
    'exec 9<&3 3<&-',
    '( while read -r nothing; do :; done; kill -KILL 0 ) <&9 9<&- >/dev/null 2>&1 &',
    'exec 9<&-',
    '(',
    ':', // a script may be empty
    script,
    ')',
    'exit "$?"',
  ].join('\n');
}

/** One that runs. */
class Script {
  /** When it has ended, and all that it said has come; never an error. */
  readonly exited: Promise<void>;
  private readonly outcome: Promise<{ readonly code: number } | { readonly error: Error }>;
  private isOver = false;

  constructor(
    private readonly child: ChildProcess,
    private readonly run: ScriptRun,
    private readonly errors: ErrorText,
  ) {
    const { stdin, stdout } = child;
    const stderr = piped(child.stderr);
    // whoever writes to one that has ended learns it from its end
    for (const stream of [stdin, stdout, stderr, this.watch]) stream?.on('error', () => undefined);
    stderr.on('data', this.errors.add);
    const said = Promise.withResolvers<void>();
    stderr.once('close', said.resolve);
    const exit = Promise.withResolvers<Awaited<Script['outcome']>>();
    child.once('error', (error) => exit.resolve({ error }));
    child.once('exit', (code, signal) =>
      exit.resolve({ code: code ?? (signal === null ? KILLED : (ENDED_BY[signal] ?? KILLED)) }),
    );
    this.outcome = exit.promise.then(async (outcome) => {
      this.isOver = true;
      // ends what waits for our end, and whatever the script left behind
      this.watch?.destroy();
      if ('code' in outcome) await said.promise;
      return outcome;
    });
    this.exited = this.outcome.then(() => undefined);
  }

  get stdin(): Writable {
    return piped(this.child.stdin);
  }

  get stdout(): Readable {
    return piped(this.child.stdout);
  }

  /** On its standard input, once that is known; default nothing. */
  tell(text?: Promise<string>): void {
    if (text === undefined) this.stdin.end();
    else void text.then((told) => this.stdin.end(told));
  }

  /** @throws LiftlockError unless it ended with exit code 0, and nothing was lost. */
  async ended(): Promise<void> {
    const outcome = await this.outcome;
    const { run } = this;
    if ('error' in outcome)
      throw new LiftlockError('misconfigured', `${run.what} failed: ${outcome.error.message}`, {
        cause: outcome.error,
      });
    const words = this.errors.toString();
    if (outcome.code !== 0 || LOSS.test(words)) throw run.failed(outcome.code, words);
  }

  /** With all that it started; one that has ended is left alone. */
  end(): void {
    const { pid } = this.child;
    if (!this.isOver && pid !== undefined) kill(-pid);
  }

  private get watch(): Writable | undefined {
    return this.child.stdio[3] as Writable | undefined;
  }
}

function piped<S extends Stream>(stream: S | null): S {
  if (stream === null) throw new Error('a script was started without its pipes');
  return stream;
}

function abortedBy(signal: AbortSignal, what: string): LiftlockError {
  return signal.reason instanceof LiftlockError
    ? signal.reason
    : new LiftlockError('timeout', `${what} was broken off`, { cause: signal.reason });
}

function isBrokenPipe(error: unknown): boolean {
  const { code = '' } = error as { code?: string };
  return ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'].includes(
    code,
  );
}
