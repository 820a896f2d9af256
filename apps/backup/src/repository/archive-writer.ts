import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Bytes after which what was written is sent to the disk: little is left to wait for at the end. */
const SYNC_EVERY = 8 * 1024 * 1024;

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
  const write = async (chunk: Buffer): Promise<void> => {
    hash.update(chunk);
    for (let done = 0; done < chunk.length;) {
      done += (await file.write(chunk, done)).bytesWritten;
    }
    bytes += chunk.length;
    onBytes(chunk.length);
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
    const sink = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of chunks) await write(chunk);
    };
    await pipeline(archive, sink, { signal });
    await syncing;
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes, sha256: `sha256:${hash.digest('hex')}` };
}
