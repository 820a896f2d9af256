import { PassThrough, Writable, type Readable } from 'node:stream';
import type { CommandResult } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Cluster } from './cluster.js';
import { abortedBy, clusterError } from './errors.js';
import { execClient } from './exec-client.js';
import { BEGIN_MS, broken, exitCodeOf, refusalOf, type EndStatus } from './exec-end.js';
import type { Pod } from './objects.js';

/** Most of each output that is kept, in bytes: its end. */
const OUTPUT_LIMIT = 1024 * 1024;

export interface ExecCommand {
  readonly container: string;
  readonly command: readonly string[];
  /** What it reads first, without an end; default: nothing. */
  readonly input?: string | undefined;
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
  const client = await execClient(await cluster.access());
  const stdin = input === undefined ? null : endless(input);
  try {
    const status = await ended(signal, what, (tell) =>
      client.exec(namespace, name, container, [...command], stdout, stderr, stdin, false, tell),
    );
    const exitCode = exitCodeOf(status);
    if (exitCode === undefined)
      throw new LiftlockError('hook_failed', `${what} could not be begun: ${status.message ?? ''}`);
    return { exitCode, stdout: stdout.text, stderr: stderr.text };
  } catch (error) {
    throw clusterError(cluster, what, error, signal);
  }
}

/** Begins a command, and waits for what is told of its end; the connection ends with it, or before it where it is called off. */
async function ended(
  signal: AbortSignal,
  what: string,
  begin: (tell: (status: EndStatus) => void) => Promise<unknown>,
): Promise<EndStatus> {
  const { promise, resolve, reject } = Promise.withResolvers<EndStatus>();
  const abort = (): void => reject(abortedBy(signal, what));
  signal.addEventListener('abort', abort, { once: true });
  const late = setTimeout(() => reject(broken('it was not begun', 'ETIMEDOUT')), BEGIN_MS);
  const opening = begin(resolve).then(
    (opened) => {
      clearTimeout(late);
      const socket = opened as Connection;
      socket.onclose = () =>
        reject(broken('the connection was closed before its end was told', 'ECONNRESET'));
      return socket;
    },
    (error: unknown) => {
      reject(refusalOf(error));
      return undefined;
    },
  );
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', abort);
    void opening.then((socket) => socket?.close());
  }
}

/** The part of a WebSocket that is of interest here. */
interface Connection {
  close(): void;
  onclose: (() => void) | null;
}

/** In the protocol's fourth version the end of the input is the end of the connection, and with it of what was to be told. */
function endless(text: string): Readable {
  const stream = new PassThrough();
  stream.write(text);
  return stream;
}

/** Keeps the end of what is written to it: at once, since nobody waits for it when the end of the command is told. */
class Tail extends Writable {
  private readonly pieces: Buffer[] = [];
  private bytes = 0;

  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    this.pieces.push(piece);
    this.bytes += piece.length;
    while (this.bytes - (this.pieces[0]?.length ?? 0) > OUTPUT_LIMIT)
      this.bytes -= this.pieces.shift()?.length ?? 0;
    done();
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString('utf8');
  }
}
