import { createReadStream } from 'node:fs';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { LiftlockError } from '#kernel';
import { fileError } from './file-errors.js';
import type { Pieces } from './store.js';

/** Bytes that are read together. */
const BLOCK = 1024 * 1024;
/** Milliseconds between two looks at how much another process has written. */
const LOOK_MS = 20;

export function readFrom(path: string, signal: AbortSignal): Readable {
  const out = new PassThrough({ highWaterMark: BLOCK });
  const file = createReadStream(path, { highWaterMark: BLOCK });
  file.once('error', (error) => out.destroy(readError(error, path)));
  // the reader sees how it ends
  pipeline(file, out, { signal }).catch(() => undefined);
  return out;
}

export async function* piecesOf(path: string, signal: AbortSignal): Pieces {
  const file = await openToRead(path);
  try {
    yield* piecesOfOpen(file, path, signal);
  } finally {
    await file.close();
  }
}

/** All of an open file, whose position stays where it is. */
export async function* piecesOfOpen(file: FileHandle, path: string, signal: AbortSignal): Pieces {
  const memory = Buffer.allocUnsafeSlow(BLOCK);
  for (let at = 0; ;) {
    const bytes = await readAt(file, at, memory, path, signal);
    if (bytes === 0) return;
    yield memory.subarray(0, bytes);
    at += bytes;
  }
}

/**
 * All that another process writes to an open file, from its beginning, while it does: no more than what is behind the position, which it
 * shares with us, and which goes on when a piece is whole.
 * @param ended settles when it writes no more; its error is the reading's
 */
export async function* followed(
  file: FileHandle,
  path: string,
  ended: Promise<void>,
  signal: AbortSignal,
): Pieces {
  const memory = Buffer.allocUnsafeSlow(BLOCK);
  let isOver = false;
  const over = (): void => void (isOver = true);
  ended.then(over, over);
  for (let at = 0; ;) {
    // seen before the position is, which is the last one then
    const isLast = isOver;
    if (isLast) await ended;
    const there = (await positionOf(file)) - at;
    if (there > 0) {
      const piece = memory.subarray(0, Math.min(there, BLOCK));
      const bytes = await readAt(file, at, piece, path, signal);
      if (bytes === 0)
        throw new LiftlockError('data_corrupt', `${path} is not as long as what was written to it`);
      yield piece.subarray(0, bytes);
      at += bytes;
    } else if (isLast) return;
    else await delay(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Where whoever has the descriptor goes on to read or to write (proc_pid_fdinfo(5)). */
export async function positionOf(file: FileHandle): Promise<number> {
  const told = await readFile(`/proc/self/fdinfo/${file.fd}`, 'latin1');
  const [, position] = /^pos:\s*(\d+)$/m.exec(told) ?? [];
  if (position === undefined) throw new Error(`the position of a file is not told: ${told}`);
  return Number(position);
}

/** @throws LiftlockError `data_missing` when it is not there */
export async function openToRead(path: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (error) {
    throw readError(error, path);
  }
}

/** As many bytes as there are, and fit. @returns their number */
async function readAt(
  file: FileHandle,
  at: number,
  memory: Buffer,
  path: string,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  try {
    return (await file.read(memory, 0, memory.length, at)).bytesRead;
  } catch (error) {
    throw readError(error, path);
  }
}

function readError(error: unknown, path: string): LiftlockError {
  return isMissing(error)
    ? new LiftlockError('data_missing', `${path} is not there`, { cause: error })
    : fileError(error, path);
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
