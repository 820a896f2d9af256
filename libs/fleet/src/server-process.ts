import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { LiftlockError, waitFor } from '#kernel';
import { freePort } from './ports.js';
import { endProcess, isAlive, type ProcessIdentity } from './process-identity.js';
import { EndedAtOnce, spawnDetached, type RunAs } from './spawn-detached.js';

/** Milliseconds until a server must answer: a busy machine takes its time, and one that ends is told at once. */
const START_DEADLINE_MS = 120_000;

/** What differs between one kind of server and the next. */
export interface ServerKind {
  readonly name: string;
  readonly logFile: string;
  readonly cwd: string;
  readonly runAs?: RunAs | undefined;
  /** Signal of a graceful stop. */
  readonly stopSignal: NodeJS.Signals;
  /** Milliseconds that a graceful stop may take before SIGKILL. */
  readonly stopDeadlineMs: number;
  /** What its log says when processes of an earlier life still hold its store: then it is tried again, until the same deadline. */
  readonly storeInUse?: RegExp;
  url(port: number): string;
  /** Before each start: folders, configuration. */
  prepare(port: number): Promise<void>;
  command(port: number): {
    readonly file: string;
    readonly args: readonly string[];
    readonly env?: Readonly<Record<string, string | undefined>>;
  };
  /** Whether this very server, not another on the same port, answers. */
  answers(port: number): Promise<boolean>;
  /** Deletes what it stored; called only while it is stopped. */
  deleteStore(): Promise<void>;
  /** What is left to do once the process is gone. */
  afterStop?(): Promise<void>;
}

export interface StartOptions {
  /** Preferred port; another is chosen when it is taken. Default: any free one. */
  readonly port?: number | undefined;
  /** The server ends when the process that started it dies. For tests; the product's fleet outlives its `up`. */
  readonly tied?: boolean | undefined;
  /** Called as soon as the process exists, before it answers: for the state file. */
  readonly onSpawn?: ((identity: ProcessIdentity, port: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A real server as a child process on loopback, in a folder of its own. */
export interface RunningServer {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly identity: ProcessIdentity;
  readonly logFile: string;
  isRunning(): boolean;
  answers(): Promise<boolean>;
  /** Graceful stop with a deadline, then SIGKILL. Stopping twice is allowed. */
  stop(): Promise<void>;
  /** SIGKILL, now. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same data; stops it first when it runs. */
  restart(): Promise<void>;
  /** Stops it, deletes its store and starts it on the same port. */
  wipe(): Promise<void>;
  /** Stops it and deletes its store. */
  remove(): Promise<void>;
}

export class ServerProcess implements RunningServer {
  private constructor(
    private readonly kind: ServerKind,
    private readonly options: StartOptions,
    private currentPort: number,
    private current: ProcessIdentity,
  ) {}

  /** Starts one on the preferred port, or on another when that is taken. */
  static async start(kind: ServerKind, options: StartOptions = {}): Promise<ServerProcess> {
    for (let tries = 1; ; tries += 1) {
      const port = await freePort(tries === 1 ? options.port : undefined);
      try {
        return new ServerProcess(kind, options, port, await launch(kind, port, options));
      } catch (error) {
        if (!(error instanceof PortTaken) || tries === 5) throw error;
      }
    }
  }

  /** One that another process started, known from the state file. */
  static attach(
    kind: ServerKind,
    port: number,
    identity: ProcessIdentity,
    options: StartOptions = {},
  ): ServerProcess {
    return new ServerProcess(kind, options, port, identity);
  }

  get name(): string {
    return this.kind.name;
  }
  get url(): string {
    return this.kind.url(this.currentPort);
  }
  get port(): number {
    return this.currentPort;
  }
  get pid(): number {
    return this.current.pid;
  }
  get identity(): ProcessIdentity {
    return this.current;
  }
  get logFile(): string {
    return this.kind.logFile;
  }

  isRunning(): boolean {
    return isAlive(this.current);
  }

  async answers(): Promise<boolean> {
    return this.isRunning() && (await this.kind.answers(this.currentPort));
  }

  async stop(): Promise<void> {
    await endProcess(this.current, {
      signal: this.kind.stopSignal,
      deadlineMs: this.kind.stopDeadlineMs,
    });
    await this.kind.afterStop?.();
  }

  async kill(): Promise<void> {
    await endProcess(this.current, { signal: 'SIGKILL' });
    await this.kind.afterStop?.();
  }

  async restart(): Promise<void> {
    await this.stop();
    const deadline = performance.now() + START_DEADLINE_MS;
    for (;;) {
      try {
        this.current = await launch(this.kind, this.currentPort, this.options);
        return;
      } catch (error) {
        // the port must stay the same: its clients know no other; who holds it may let it go
        if (!(error instanceof PortTaken) || performance.now() >= deadline) throw error;
        await delay(200, undefined, { signal: this.options.signal });
      }
    }
  }

  async wipe(): Promise<void> {
    await this.stop();
    await this.kind.deleteStore();
    await this.restart();
  }

  async remove(): Promise<void> {
    await this.stop();
    await this.kind.deleteStore();
  }
}

class PortTaken extends LiftlockError {
  constructor(kind: ServerKind, port: number) {
    super(
      'port_taken',
      `${kind.name}: port ${port} of 127.0.0.1 is taken: free it, or choose another`,
    );
  }
}

/** Children of a server that was killed hold its store for a moment longer. */
class StoreInUse extends LiftlockError {
  constructor(message: string) {
    super('unavailable', message);
  }
}

/** @throws PortTaken */
async function launch(
  kind: ServerKind,
  port: number,
  options: StartOptions,
): Promise<ProcessIdentity> {
  const deadline = performance.now() + START_DEADLINE_MS;
  for (;;) {
    try {
      return await launchOnce(kind, port, options);
    } catch (error) {
      if (!(error instanceof StoreInUse) || performance.now() >= deadline) throw error;
      await delay(200, undefined, { signal: options.signal });
    }
  }
}

async function launchOnce(
  kind: ServerKind,
  port: number,
  options: StartOptions,
): Promise<ProcessIdentity> {
  options.signal?.throwIfAborted();
  await kind.prepare(port);
  const logStart = sizeOf(kind.logFile);
  const command = kind.command(port);
  let identity: ProcessIdentity | undefined;
  try {
    identity = await spawnDetached({
      ...command,
      cwd: kind.cwd,
      logFile: kind.logFile,
      runAs: kind.runAs,
      tiedBy: options.tied === true ? kind.stopSignal : undefined,
    });
  } catch (error) {
    // on a slow machine it is over before it is looked at
    if (!(error instanceof EndedAtOnce)) throw error;
  }
  if (identity !== undefined && (await comesToAnswer(kind, port, identity, options)))
    return identity;
  await kind.afterStop?.();
  const log = tailOf(kind.logFile, logStart);
  if (/address already in use|Address in use|port is already allocated/i.test(log))
    throw new PortTaken(kind, port);
  const lines = log.trim().split('\n').slice(-3).join(' | ');
  const message = `${kind.name} ended before it answered: ${lines} (log: ${kind.logFile})`;
  if (kind.storeInUse?.test(log) === true) throw new StoreInUse(message);
  throw new LiftlockError('unavailable', message);
}

/** @returns `false` when it has ended before. */
async function comesToAnswer(
  kind: ServerKind,
  port: number,
  identity: ProcessIdentity,
  options: StartOptions,
): Promise<boolean> {
  options.onSpawn?.(identity, port);
  try {
    const outcome = await waitFor(
      async () => {
        if (!isAlive(identity)) return 'ended';
        return (await kind.answers(port)) && isAlive(identity) ? 'answers' : undefined;
      },
      {
        what: `${kind.name} (log: ${kind.logFile}) answers`,
        deadlineMs: START_DEADLINE_MS,
        everyMs: 25,
        ...(options.signal ? { signal: options.signal } : {}),
      },
    );
    return outcome === 'answers';
  } catch (error) {
    await endProcess(identity, { signal: kind.stopSignal, deadlineMs: 5_000 });
    await kind.afterStop?.();
    throw error;
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** What was written to a log since it had this size: at most the last 16 KiB. */
export function tailOf(file: string, since = 0): string {
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const from = Math.max(since, size - 16_384);
    const buffer = Buffer.alloc(Math.max(0, size - from));
    readSync(descriptor, buffer, 0, buffer.length, from);
    return buffer.toString('utf8');
  } finally {
    closeSync(descriptor);
  }
}
