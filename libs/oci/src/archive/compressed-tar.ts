import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream';
import { LiftlockError } from '#kernel';
import { cutOff, note, type TarEntry, type TarFile } from './tar-entry.js';
import {
  BLOCK,
  isTarExtension,
  padded,
  parseTarHeader,
  readTarExtension,
  type TarOverrides,
} from './tar-headers.js';

export type Compression = 'gzip' | 'zstd';

const INPUT_PIECE = 256 * 1024;
const OUTPUT_PIECE = 256 * 1024;
/** Bytes up to which a file is kept from the first pass: manifests and configurations, which are read one by one. */
const SMALL = 256 * 1024;
/** Of all of them together. */
const MOST_SMALL = 32 * 1024 * 1024;

export function compressionOf(head: Buffer): Compression | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  return head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : undefined;
}

/**
 * A compressed archive: it can only be read from its beginning, so each file costs the way to it. Nothing is unpacked to disk; small files
 * are kept in memory from the pass that finds out what there is.
 */
export class CompressedTar implements TarFile {
  private constructor(
    readonly path: string,
    private readonly compression: Compression,
    readonly entries: ReadonlyMap<string, TarEntry>,
    private readonly small: ReadonlyMap<number, Buffer>,
  ) {}

  static async open(
    path: string,
    compression: Compression,
    signal: AbortSignal | undefined,
  ): Promise<CompressedTar> {
    const entries = new Map<string, TarEntry>();
    const small = new Map<number, Buffer>();
    let kept = 0;
    let overrides: TarOverrides = {};
    const cursor = new Cursor(inflate(path, compression, signal), path);
    try {
      for (;;) {
        const block = await cursor.take(BLOCK);
        const header = block.length < BLOCK ? undefined : parseTarHeader(block, path);
        if (header === undefined) break;
        const size = isTarExtension(header.type) ? header.size : (overrides.size ?? header.size);
        if (isTarExtension(header.type)) {
          readTarExtension(header.type, await cursor.take(size), overrides);
          await cursor.skip(padded(size) - size);
          continue;
        }
        const offset = cursor.position;
        note(
          entries,
          overrides.name ?? header.name,
          header.type,
          overrides.link ?? header.link,
          offset,
          size,
        );
        overrides = {};
        if (size <= SMALL && kept + size <= MOST_SMALL) {
          const content = Buffer.from(await cursor.take(size));
          if (content.length < size) throw cutOff(path);
          small.set(offset, content);
          kept += size;
          await cursor.skip(padded(size) - size);
        } else await cursor.skip(padded(size));
      }
    } finally {
      cursor.close();
    }
    return new CompressedTar(path, compression, entries, small);
  }

  async *read(
    entry: TarEntry,
    from: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer, void, undefined> {
    const kept = this.small.get(entry.offset);
    if (kept !== undefined) {
      yield kept.subarray(from, entry.size);
      return;
    }
    const cursor = new Cursor(inflate(this.path, this.compression, signal), this.path);
    try {
      await cursor.skip(entry.offset + from);
      for (let left = entry.size - from; left > 0;) {
        const piece = await cursor.next(left);
        left -= piece.length;
        yield piece;
      }
    } finally {
      cursor.close();
    }
  }
}

function inflate(
  path: string,
  compression: Compression,
  signal: AbortSignal | undefined,
): Readable {
  const options = { chunkSize: OUTPUT_PIECE };
  // loaded by who needs it: that takes 3 ms of a program's start
  const { createGunzip, createZstdDecompress } = process.getBuiltinModule('node:zlib');
  const out = compression === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
  const input = createReadStream(path, {
    highWaterMark: INPUT_PIECE,
    ...(signal === undefined ? {} : { signal }),
  });
  // the reader sees the error on what it reads
  pipeline(input, out, () => undefined);
  return out;
}

/** Goes through a stream by numbers of bytes. */
class Cursor {
  position = 0;
  private rest: Buffer = Buffer.alloc(0);
  private readonly pieces: AsyncIterator<Buffer>;

  constructor(
    private readonly stream: Readable,
    private readonly path: string,
  ) {
    this.pieces = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /** At most `most` bytes, at least one. */
  async next(most: number): Promise<Buffer> {
    if (!(await this.fill())) throw cutOff(this.path);
    const piece = this.rest.subarray(0, most);
    this.rest = this.rest.subarray(piece.length);
    this.position += piece.length;
    return piece;
  }

  /** So many bytes; fewer at the end. */
  async take(length: number): Promise<Buffer> {
    const taken: Buffer[] = [];
    for (let left = length; left > 0 && (await this.fill());) {
      const piece = await this.next(left);
      taken.push(piece);
      left -= piece.length;
    }
    return Buffer.concat(taken);
  }

  async skip(length: number): Promise<void> {
    for (let left = length; left > 0;) left -= (await this.next(left)).length;
  }

  close(): void {
    this.stream.destroy();
  }

  private async fill(): Promise<boolean> {
    try {
      while (this.rest.length === 0) {
        const next = await this.pieces.next();
        if (next.done === true) return false;
        this.rest = next.value;
      }
      return true;
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') throw error;
      throw new LiftlockError(
        'image_corrupt',
        `the archive ${this.path} cannot be decompressed: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
  }
}
