import { finished } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { orMissing, type ContainerInfo, type Engine } from './engine.js';
import { FrameReader } from './frames.js';

export interface LogQuery {
  /** Seconds since 1970 with nanoseconds, as the engine takes it; default: all there is. */
  readonly since?: string;
  /** Only so many of the last lines. */
  readonly tail?: number;
  readonly timestamps?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Longest text that is taken of one log at once, in bytes: the rest is left out from the front. */
const LIMIT = 4 * 1024 * 1024;

/** The lines of a container's log, standard output and error in the order in which the engine kept them. */
export async function logLines(
  engine: Engine,
  container: ContainerInfo,
  query: LogQuery,
): Promise<string[]> {
  const stream = await engine.call('reading the log', query.signal, (docker) =>
    dial(docker.modem as unknown as Modem, container.Id, query),
  );
  const frames = new FrameReader();
  let pieces: Buffer[] = [];
  let size = 0;
  const add = (piece: Buffer): void => {
    pieces.push(piece);
    size += piece.length;
    if (size > LIMIT) {
      const kept = Buffer.concat(pieces).subarray(-LIMIT / 2);
      pieces = [kept];
      size = kept.length;
    }
  };
  stream.on('data', (chunk: Buffer) => {
    if (container.Config.Tty) add(Buffer.from(chunk));
    else frames.push(chunk, (_isError, piece) => add(Buffer.from(piece)));
  });
  await engine.call('reading the log', query.signal, () => finished(stream));
  const text = Buffer.concat(pieces).toString('utf8');
  return text.split(/\r?\n/).filter((line) => line !== '');
}

/** For so long the last lines are waited for, in milliseconds. */
const LAST_LINES_MS = 15_000;

/** The last lines of what ended; none where the log cannot be read, as with some log drivers, or not now: how it ended matters more. */
export async function lastLines(engine: Engine, container: ContainerInfo): Promise<string[]> {
  try {
    const signal = AbortSignal.timeout(LAST_LINES_MS);
    const lines = await orMissing(logLines(engine, container, { tail: 20, signal }));
    return (lines ?? []).map((line) => line.slice(0, 1000));
  } catch {
    return [];
  }
}

/** dockerode's own call takes a log that happens to be JSON for an object. */
function dial(modem: Modem, id: string, query: LogQuery): Promise<Readable> {
  return new Promise((resolve, reject) => {
    modem.dial(
      {
        path: `/containers/${id}/logs?`,
        method: 'GET',
        isStream: true,
        statusCodes: { 200: true, 404: 'no such container', 500: 'server error' },
        abortSignal: query.signal,
        options: {
          stdout: true,
          stderr: true,
          ...(query.since === undefined ? {} : { since: query.since }),
          ...(query.tail === undefined ? {} : { tail: query.tail }),
          ...(query.timestamps === true ? { timestamps: true } : {}),
        },
      },
      (error, stream) => (stream === undefined || error !== null ? reject(error) : resolve(stream)),
    );
  });
}

interface Modem {
  dial(options: object, done: (error: unknown, stream?: Readable) => void): void;
}
