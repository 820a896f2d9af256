import type { Readable } from 'node:stream';
import { LiftlockError } from '#kernel';
import type { StoreAttempt, StoredArchive, WriteOptions } from '../store.js';
import type { ResticArchives, ResticTags } from './restic-archives.js';

/**
 * An attempt whose archive restic keeps; its manifest, which makes it count, is the store's. A snapshot that no manifest names is forgotten by
 * the sweep, and not before: what the next attempt has in common with it need not be written again.
 */
export class ResticAttempt implements StoreAttempt {
  private snapshot: string | undefined;

  constructor(
    private readonly attempt: StoreAttempt,
    private readonly archives: ResticArchives,
    private readonly tags: ResticTags,
  ) {}

  async write(
    file: string,
    archive: Readable,
    signal: AbortSignal,
    { onBytes }: WriteOptions = {},
  ): Promise<StoredArchive> {
    const written = await this.archives.write(file, archive, this.tags, signal, onBytes);
    this.snapshot = written.restic?.snapshot;
    return written;
  }

  read(file: string, signal: AbortSignal): Readable {
    if (this.snapshot === undefined)
      throw new LiftlockError('data_missing', `nothing was written as ${file} yet`);
    return this.archives.read(this.snapshot, file, signal);
  }

  commit(manifest: Buffer, guard: () => Promise<void>): Promise<void> {
    return this.attempt.commit(manifest, guard);
  }

  discard(): Promise<void> {
    return this.attempt.discard();
  }
}
