import { PassThrough, Writable } from 'node:stream';
import { untilAborted } from '#kernel';
import type { Cluster } from './cluster.js';
import { abortedBy, clusterError } from './errors.js';
import { execClient } from './exec-client.js';
import { BEGIN_MS, broken, exitCodeOf, refusalOf, type EndStatus } from './exec-end.js';
import type { Pod } from './objects.js';

/** What is on the way may be still for long: so often something passes, in milliseconds. */
const PING_MS = 20_000;
const STDIN = 0;

/** What the client's socket can, in Node. */
interface Socket {
  readonly readyState: number;
  send(data: Buffer, done: (error?: Error) => void): void;
  close(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  ping(): void;
  onclose: unknown;
}

/** A command that runs in a pod. */
export interface ExecStream {
  /** When so much is on the wire. @throws where the connection has ended */
  send(data: Buffer): Promise<void>;
  /** No more is read until `resume`: what comes is held by those who send it. */
  pause(): void;
  resume(): void;
  /** Its exit code. @throws LiftlockError `target_unreachable` where nobody told it */
  readonly exited: Promise<number>;
  close(): void;
}

/**
 * Begins a command whose input and outputs may be large: none of it is held here.
 * @param onOutput is given each piece, in order
 */
export async function openExec(
  cluster: Cluster,
  { metadata: { namespace = '', name } }: Pod,
  container: string,
  { command, what }: { readonly command: readonly string[]; readonly what: string },
  onOutput: (isError: boolean, piece: Buffer) => void,
  signal: AbortSignal,
): Promise<ExecStream> {
  signal.throwIfAborted();
  const client = await execClient(await cluster.access());
  const end = Promise.withResolvers<EndStatus>();
  end.promise.catch(() => undefined);
  const outputs = [false, true].map((isError) => new Pieces((piece) => onOutput(isError, piece)));
  let socket: Socket;
  const late = AbortSignal.any([signal, AbortSignal.timeout(BEGIN_MS)]);
  const opening = client
    // what is sent goes by the socket itself, which says when it is gone
    .exec(
      namespace,
      name,
      container,
      [...command],
      outputs[0] ?? null,
      outputs[1] ?? null,
      new PassThrough(),
      false,
      end.resolve,
    ) as Promise<unknown> as Promise<Socket>;
  try {
    socket = await untilAborted(opening, late);
    if (signal.aborted) socket.terminate();
  } catch (error) {
    // one that is opened too late has nobody
    opening.then((unwanted) => unwanted.terminate()).catch(() => undefined);
    throw clusterError(
      cluster,
      what,
      signal.aborted
        ? abortedBy(signal, what)
        : late.aborted
          ? broken('it was not begun', 'ETIMEDOUT')
          : refusalOf(error),
      signal,
    );
  }
  const lost = (): void =>
    end.reject(broken('the connection was closed before its end was told', 'ECONNRESET'));
  socket.onclose = lost;
  const beat = setInterval(() => {
    if (socket.readyState === 1) socket.ping();
  }, PING_MS);
  const exited = end.promise
    .then(exitCodeIn, (error: unknown) => {
      throw clusterError(cluster, what, error, signal);
    })
    .finally(() => clearInterval(beat));
  exited.catch(() => undefined);
  return {
    exited,
    send: (data) =>
      new Promise((resolve, reject) => {
        const framed = Buffer.concat([Buffer.from([STDIN]), data]);
        socket.send(framed, (error) => (error == null ? resolve() : reject(error)));
      }),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: () => {
      clearInterval(beat);
      socket.terminate();
      lost();
    },
  };
}

/** Hands on what the client writes to it. */
class Pieces extends Writable {
  constructor(onPiece: (piece: Buffer) => void) {
    super({
      write: (piece: Buffer, _encoding, done) => {
        onPiece(piece);
        done();
      },
    });
  }
}

function exitCodeIn(status: EndStatus): number {
  const code = exitCodeOf(status);
  if (code !== undefined) return code;
  throw broken(`it could not be begun, or was ended: ${status.message ?? ''}`, 'ECONNRESET');
}
