import { PassThrough, type Readable } from 'node:stream';
import { Exec } from '@kubernetes/client-node';
import type { CommandResult } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Cluster } from './cluster.js';
import { abortedBy, ApiAnswer, clusterError } from './errors.js';
import type { Pod } from './objects.js';

/** Most of each output that is kept, in bytes: its end. */
const OUTPUT_LIMIT = 1024 * 1024;
/** For so long the API server may take to begin the command, in milliseconds. */
const BEGIN_MS = 60_000;

export interface ExecCommand {
  readonly container: string;
  readonly command: readonly string[];
  /** What it reads first, without an end; default: nothing. */
  readonly input?: string | undefined;
}

/** As the API tells how a command ended (`Status` of meta/v1). */
interface EndStatus {
  readonly status?: string;
  readonly message?: string;
  readonly details?: {
    readonly causes?: ReadonlyArray<{ readonly reason?: string; readonly message?: string }>;
  };
}

/** Runs a command in a container of a pod, without a shell, to its end. @throws LiftlockError where it could not be begun, or its end was not told */
export async function execute(
  cluster: Cluster,
  pod: Pod,
  { container, command, input }: ExecCommand,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { namespace = '', name } = pod.metadata;
  const what = `running ${command[0] ?? ''} in ${name}`;
  const [stdout, stderr] = [new Tail(), new Tail()];
  signal.throwIfAborted();
  const { config } = await cluster.access();
  const stdin = input === undefined ? null : endless(input);
  let socket: { close(): void; onclose: unknown } | undefined;
  let begun = false;
  try {
    const status = await new Promise<EndStatus>((resolve, reject) => {
      const abort = (): void => reject(abortedBy(signal, what));
      signal.addEventListener('abort', abort, { once: true });
      const late = setTimeout(() => {
        if (!begun) reject(Object.assign(new Error('it was not begun'), { code: 'ETIMEDOUT' }));
      }, BEGIN_MS);
      new Exec(config)
        .exec(namespace, name, container, [...command], stdout, stderr, stdin, false, resolve)
        .then(
          (opened) => {
            begun = true;
            clearTimeout(late);
            socket = opened;
            if (signal.aborted) opened.close();
            opened.onclose = () =>
              reject(
                Object.assign(new Error('the connection was closed before its end was told'), {
                  code: 'ECONNRESET',
                }),
              );
          },
          (error: unknown) => {
            clearTimeout(late);
            reject(refusalOf(error));
          },
        );
    });
    return { exitCode: exitCodeOf(status, what), stdout: stdout.text, stderr: stderr.text };
  } catch (error) {
    throw clusterError(cluster, what, error, signal);
  } finally {
    socket?.close();
  }
}

/** In the protocol's fourth version the end of the input is the end of the connection, and with it of what was to be told. */
function endless(text: string): Readable {
  const stream = new PassThrough();
  stream.write(text);
  return stream;
}

/** The client gives no more than the status of an answer that is not the protocol's. */
function refusalOf(error: unknown): Error {
  const { message = 'no answer', error: inner } = (error ?? {}) as {
    message?: string;
    error?: Error;
  };
  const status = Number(/Unexpected server response: (\d+)/.exec(message)?.[1]);
  if (Number.isInteger(status))
    return new ApiAnswer(status, '', `it was answered with HTTP status ${status}`);
  return inner ?? (error instanceof Error ? error : new Error(message));
}

function exitCodeOf({ status, message = '', details }: EndStatus, what: string): number {
  if (status === 'Success') return 0;
  const code = details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  if (code !== undefined) return Number(code);
  throw new LiftlockError('hook_failed', `${what} could not be begun: ${message}`);
}

/** Keeps the end of what is written to it. */
class Tail extends PassThrough {
  private pieces: Buffer[] = [];
  private bytes = 0;

  constructor() {
    super();
    this.on('data', (piece: Buffer) => {
      this.pieces.push(piece);
      this.bytes += piece.length;
      while (this.bytes - (this.pieces[0]?.length ?? 0) > OUTPUT_LIMIT)
        this.bytes -= this.pieces.shift()?.length ?? 0;
    });
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString('utf8');
  }
}
