import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { compressionOf, CompressedTar } from './compressed-tar.js';
import { cutOff, note, unreadable, type TarEntry, type TarFile } from './tar-entry.js';
import {
  BLOCK,
  isTarExtension,
  padded,
  parseTarHeader,
  readTarExtension,
  type TarOverrides,
} from './tar-headers.js';

/** Bytes read at a time: large, since each piece costs the same. */
const PIECE = 512 * 1024;

/** @throws LiftlockError `image_missing` where there is no such file, `image_corrupt` where it is no archive */
export async function openTar(path: string, signal?: AbortSignal): Promise<TarFile> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const first = await readAt(file, 0, BLOCK);
    const compression = compressionOf(first);
    if (compression !== undefined) return await CompressedTar.open(path, compression, signal);
    return new PlainTar(path, await scan(file, path));
  } finally {
    await file.close();
  }
}

class PlainTar implements TarFile {
  constructor(
    readonly path: string,
    readonly entries: ReadonlyMap<string, TarEntry>,
  ) {}

  async *read(
    entry: TarEntry,
    from: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer, void, undefined> {
    if (from >= entry.size) return;
    const start = entry.offset + from;
    const end = entry.offset + entry.size - 1;
    const options = {
      start,
      end,
      highWaterMark: PIECE,
      ...(signal === undefined ? {} : { signal }),
    };
    try {
      for await (const piece of createReadStream(this.path, options)) yield piece as Buffer;
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      throw unreadable(this.path, error);
    }
  }
}

/** Only headers are read: the way through gigabytes is a few hundred small reads. */
async function scan(file: FileHandle, path: string): Promise<Map<string, TarEntry>> {
  const entries = new Map<string, TarEntry>();
  const { size: end } = await file.stat();
  let overrides: TarOverrides = {};
  for (let at = 0; at + BLOCK <= end;) {
    const header = parseTarHeader(await readAt(file, at, BLOCK), path);
    if (header === undefined) break;
    at += BLOCK;
    const size = overrides.size ?? header.size;
    if (isTarExtension(header.type))
      readTarExtension(header.type, await readAt(file, at, header.size), overrides);
    else {
      if (at + size > end) throw cutOff(path);
      note(
        entries,
        overrides.name ?? header.name,
        header.type,
        overrides.link ?? header.link,
        at,
        size,
      );
      overrides = {};
    }
    at += padded(isTarExtension(header.type) ? header.size : size);
  }
  return entries;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(buffer, read, length - read, position + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return buffer.subarray(0, read);
}
