import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { callbackify } from 'node:util';

/** Bytes after which what was written is sent to the disk: little is left to wait for at the end. */
const SYNC_EVERY = 8 * 1024 * 1024;
/** Bytes that are written together: they come in pieces of 32 KiB and less. */
const GATHER = 256 * 1024;

export interface WrittenArchive {
  readonly bytes: number;
  /** `sha256:…` */
  readonly sha256: string;
}

/**
 * Writes a stream to a new file, which is on the disk when it resolves; hashes it as it passes, and keeps none of it.
 * @param onBytes told how many more were written
 */
export async function writeArchive(
  path: string,
  archive: Readable,
  signal: AbortSignal,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<WrittenArchive> {
  const file = await open(path, 'wx', 0o600);
  const hash = createHash('sha256');
  let bytes = 0;
  let synced = 0;
  let syncing: Promise<void> = Promise.resolve();
  let isSyncing = false;
  const write = async (chunks: readonly Buffer[]): Promise<void> => {
    for (const chunk of chunks) hash.update(chunk);
    const written = await writeAll(file, chunks);
    bytes += written;
    onBytes(written);
    if (isSyncing || bytes - synced < SYNC_EVERY) return;
    isSyncing = true;
    synced = bytes;
    syncing = file.datasync().finally(() => {
      isSyncing = false;
    });
    // an error is seen at the end, where it is awaited
    syncing.catch(() => undefined);
  };
  try {
    const put = callbackify(write);
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
    await pipeline(archive, sink, { signal });
    await syncing;
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes, sha256: `sha256:${hash.digest('hex')}` };
}

/** A disk that is nearly full may take less than it is given. @returns the bytes. */
async function writeAll(file: FileHandle, chunks: readonly Buffer[]): Promise<number> {
  const total = chunks.reduce((sum, { length }) => sum + length, 0);
  const { bytesWritten } = await file.writev(chunks);
  if (bytesWritten === total) return total;
  const rest = Buffer.concat(chunks).subarray(bytesWritten);
  for (let done = 0; done < rest.length;) done += (await file.write(rest, done)).bytesWritten;
  return total;
}
