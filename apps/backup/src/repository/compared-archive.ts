import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LiftlockError } from '#kernel';
import { decryptFrames, NotAsEncrypted } from './age-format.js';
import type { Encryption } from './encryption.js';
import { PassedBytes } from './passed-bytes.js';
import type { Pieces, StoredArchive, StoredFolder } from './store.js';

/** As it lies there; its stream ends with `data_corrupt` unless it is what was written. */
export function comparedArchive(
  from: Pick<StoredFolder, 'read'>,
  place: string,
  archive: StoredArchive,
  signal: AbortSignal,
  onBytes?: (bytes: number) => void,
): Readable {
  const out = new PassThrough({ highWaterMark: 1024 * 1024 });
  const through = (source: Pieces): Pieces => compared(source, place, archive, onBytes);
  // the reader sees how it ends
  pipeline(from.read(archive.file, signal), through, out, { signal }).catch(() => undefined);
  return out;
}

export function piecesIn(
  from: Pick<StoredFolder, 'read' | 'pieces'>,
  { file }: StoredArchive,
  signal: AbortSignal,
): Pieces {
  return from.pieces?.(file, signal) ?? from.read(file, signal);
}

/** What passes, when it ends, is what was written. @throws LiftlockError `data_corrupt` */
export async function* compared(
  stored: Pieces,
  place: string,
  archive: StoredArchive,
  onBytes: (bytes: number) => void = () => undefined,
): Pieces {
  const path = `${place}/${archive.file}`;
  const passed = new PassedBytes();
  try {
    for await (const piece of stored) {
      passed.add(piece);
      onBytes(piece.length);
      yield piece;
    }
  } catch (error) {
    throw ifGone(error, path);
  }
  const { bytes, sha256 } = passed.end();
  if (bytes !== archive.bytes)
    throw corrupt(path, `has ${bytes} bytes, and had ${archive.bytes} when it was written`);
  if (sha256 !== archive.sha256)
    throw corrupt(path, `has ${sha256}, and had ${archive.sha256} when it was written`);
}

/** @param recipients that it is said to be encrypted to */
export function decryptedArchive(
  stored: Readable,
  encryption: Encryption,
  recipients: readonly string[],
  { path, signal }: { readonly path: string; readonly signal: AbortSignal },
): Readable {
  const fileKeyOf = (header: Uint8Array): Promise<Uint8Array> =>
    encryption.fileKeyOf(header, path, recipients);
  const out = new PassThrough({ highWaterMark: 1024 * 1024 });
  const opened = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* decryptFrames(source, fileKeyOf);
    } catch (error) {
      throw error instanceof NotAsEncrypted ? corrupt(path, `is changed: ${error.message}`) : error;
    }
  };
  // the reader sees how it ends
  pipeline(stored, opened, out, { signal }).catch(() => undefined);
  return out;
}

/** There was one when the manifest was written. */
export function ifGone(error: unknown, path: string): unknown {
  const isGone = error instanceof LiftlockError && error.code === 'data_missing';
  return isGone ? corrupt(path, 'is not there') : error;
}

export function corrupt(path: string, problem: string): LiftlockError {
  return new LiftlockError(
    'data_corrupt',
    `${path} ${problem}; nothing was restored from it: look for another copy of this backup`,
  );
}
