import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { ApplicationKey, BackupKey } from './backup-key.js';
import type { RESTIC_FROM_BACKUP, ResticPlace } from './restic/restic-place.js';
import type { OpenArchive } from './open-archive.js';
import type { WrittenArchive } from './passed-bytes.js';

/** Name of what says what a backup is. Where it lies, all that it speaks of lies, too: it is what makes a backup count. */
export const MANIFEST = 'manifest.json';

/** Whether nobody is at work on what a set of backups is made for. */
export type AtRest = (upgrade: string) => Promise<boolean>;

/** Where backups lie. A store knows names and bytes, and nothing of what they mean. */
export interface Store {
  /** For people: a folder, or `s3://<bucket>/<prefix>`. */
  readonly location: string;
  folder(key: BackupKey): StoredFolder;
  /** Every backup that counts, also those that no record knows. What does not look like one is passed over. */
  scan(): AsyncIterable<BackupKey>;
  /**
   * Deletes what removals and attempts left whose process was killed.
   * @param isAtRest asked after what was left was seen, so that an attempt that begins now is not taken for one
   * @returns places of the attempts whose left-overs were deleted
   */
  sweep(isAtRest: AtRest): Promise<string[]>;
  /** @returns nothing where room has no end that could be asked for */
  freeBytes(): Promise<number | undefined>;
  /** Where restic keeps the archives of an application; whether there is anything yet is not asked. */
  restic(of: ApplicationKey): ResticPlace;
  /** Applications for which restic keeps anything. */
  resticPlaces(): AsyncIterable<ApplicationKey>;
}

/**
 * Bytes that follow one another, for whoever keeps none of them: a piece is the reader's until it asks for the next one, which may be in the same
 * memory. What is read so leaves nothing to collect, of which there would be as much as of the data.
 */
export type Pieces = AsyncIterable<Buffer>;

/** What lies of one backup. */
export interface StoredFolder {
  /** For people. */
  readonly location: string;
  /** @returns nothing when there is no such backup */
  manifest(): Promise<Buffer | undefined>;
  /** The stream ends with `data_missing` when the file is not there. */
  read(file: string, signal: AbortSignal): Readable;
  /** As `read`. Left out: there is nothing to be had by it. */
  pieces?(file: string, signal: AbortSignal): Pieces;
  /**
   * Held open, at its beginning, for whoever reads it by itself. Left out: it is no file of this machine.
   * @throws LiftlockError `data_missing` when it is not there
   */
  open?(file: string): Promise<FileHandle>;
  /** Bytes of each file; nothing when there is no such backup. */
  sizes(): Promise<ReadonlyMap<string, number> | undefined>;
  /**
   * Takes it out of the repository at once.
   * @returns what deletes its files; nothing when it was not there
   */
  takeOut(): Promise<(() => Promise<void>) | undefined>;
  /** Room for one attempt, of which nothing counts before it is committed; what earlier ones left is removed. */
  begin(token: number): Promise<StoreAttempt>;
}

/** What was written, as it is stored. */
export interface StoredArchive extends WrittenArchive {
  /** Its name, which may be another than was asked for. */
  readonly file: string;
  /** Left out: it is a file beside the manifest. */
  readonly restic?: InRestic | undefined;
}

/** Where an archive lies that restic keeps. */
export interface InRestic {
  /** Of restic, relative to the manifest's folder. */
  readonly repository: typeof RESTIC_FROM_BACKUP;
  /** Whole id of the snapshot that the archive is the only file of. */
  readonly snapshot: string;
  /** Bytes of it that were in no earlier one, before restic compressed them. */
  readonly addedBytes: number;
}

export interface WriteOptions {
  /** Told how many more bytes were written. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Bytes that it may have, as far as is known. */
  readonly expectedBytes?: number | undefined;
}

export interface StoreAttempt {
  /** Resolves when all of it is where it lasts. */
  write(
    file: string,
    archive: Readable,
    signal: AbortSignal,
    options?: WriteOptions,
  ): Promise<StoredArchive>;
  /** As `write`, for whoever writes it by itself; to be closed by the caller. Left out: it is no file of this machine. */
  open?(file: string): Promise<OpenArchive>;
  /** What was written, as it lies in the store; as `StoredFolder.read`. */
  read(file: string, signal: AbortSignal): Readable;
  /** As `StoredFolder.pieces`. */
  pieces?(file: string, signal: AbortSignal): Pieces;
  /**
   * Makes all of it count at once.
   * @param guard asked last: what throws there leaves nothing that counts
   * @throws LiftlockError `not_empty` when another attempt was faster
   */
  commit(manifest: Buffer, guard: () => Promise<void>): Promise<void>;
  discard(): Promise<void>;
}
