import { open, type FileHandle } from 'node:fs/promises';
import { Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { callbackify } from 'node:util';
import { LiftlockError } from '#kernel';
import { asFileError, fileError } from './file-errors.js';
import { followed } from './local-file.js';
import { PassedBytes, type WrittenArchive } from './passed-bytes.js';
import type { Pieces } from './store.js';

/** Bytes after which what was written is sent to the disk: little is left to wait for at the end. */
const SYNC_EVERY = 8 * 1024 * 1024;
/** Bytes that are written together: they come in pieces of 32 KiB and less. */
const GATHER = 256 * 1024;

/** A new file that an archive is written to, by us or by another process that has its descriptor. None of it is kept in memory. */
export class OpenArchive {
  private readonly passed = new PassedBytes();
  private synced = 0;
  private syncing: Promise<void> = Promise.resolve();
  private isSyncing = false;

  private constructor(
    private readonly path: string,
    /** At its beginning. */
    readonly file: FileHandle,
  ) {}

  static async make(path: string): Promise<OpenArchive> {
    try {
      return new OpenArchive(path, await open(path, 'wx+', 0o600));
    } catch (error) {
      throw fileError(error, path);
    }
  }

  /**
   * Writes a stream to it, which is on the disk when it resolves.
   * @param onBytes told how many more were written
   */
  async write(
    archive: Readable,
    signal: AbortSignal,
    onBytes: (bytes: number) => void = () => undefined,
  ): Promise<WrittenArchive> {
    const put = callbackify(async (chunks: readonly Buffer[]): Promise<void> => {
      const before = this.passed.bytes;
      for (const chunk of chunks) this.passed.add(chunk);
      await writeAll(this.file, chunks);
      onBytes(this.passed.bytes - before);
      this.sendToDisk();
    });
    let held: Buffer[] = [];
    let heldBytes = 0;
    const flush = (done: (error?: Error | null) => void): void => {
      const gathered = held;
      held = [];
      heldBytes = 0;
      put(gathered, done);
    };
    const sink = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        held.push(chunk);
        heldBytes += chunk.length;
        if (heldBytes < GATHER) done();
        else flush(done);
      },
      final: flush,
    });
    try {
      await pipeline(archive, sink, { signal });
    } catch (error) {
      throw fileError(error, this.path);
    }
    return this.filled();
  }

  /**
   * What another process writes to it, read back while it does.
   * @param ended settles when it writes no more; its error is the reading's, in the words of one of our own where it tells of the file
   * @param onBytes told how many more were read
   */
  async *pieces(
    ended: Promise<void>,
    signal: AbortSignal,
    onBytes: (bytes: number) => void,
  ): Pieces {
    try {
      for await (const piece of followed(this.file, this.path, ended, signal)) {
        this.passed.add(piece);
        onBytes(piece.length);
        this.sendToDisk();
        yield piece;
      }
    } catch (error) {
      throw asFileError(error, this.path);
    }
  }

  /**
   * All of it is on the disk when it resolves.
   * @throws LiftlockError `data_corrupt` unless all that is in the file has passed here
   */
  async filled(): Promise<WrittenArchive> {
    try {
      await this.syncing;
      await this.file.sync();
      const { size } = await this.file.stat();
      const written = this.passed.end();
      if (size === written.bytes) return written;
      throw new LiftlockError(
        'data_corrupt',
        `${this.path} has ${size} bytes, and ${written.bytes} were written`,
      );
    } catch (error) {
      throw fileError(error, this.path);
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }

  private sendToDisk(): void {
    const { bytes } = this.passed;
    if (this.isSyncing || bytes - this.synced < SYNC_EVERY) return;
    this.isSyncing = true;
    this.synced = bytes;
    this.syncing = this.file.datasync().finally(() => {
      this.isSyncing = false;
    });
    // an error is seen at the end, where it is awaited
    this.syncing.catch(() => undefined);
  }
}

/** A disk that is nearly full may take less than it is given. */
async function writeAll(file: FileHandle, chunks: readonly Buffer[]): Promise<void> {
  const total = chunks.reduce((sum, { length }) => sum + length, 0);
  const { bytesWritten } = await file.writev(chunks);
  if (bytesWritten === total) return;
  const rest = Buffer.concat(chunks).subarray(bytesWritten);
  for (let done = 0; done < rest.length;) done += (await file.write(rest, done)).bytesWritten;
}
