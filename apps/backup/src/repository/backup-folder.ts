import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { DataEngine } from '#contracts';
import { LiftlockError } from '#kernel';
import {
  entriesText,
  manifestBytes,
  parseEntries,
  parseManifest,
  withSealedEntries,
  type Manifest,
  type StoredManifest,
} from '../domain/manifest.js';
import { decryptFrames, encryptFrames } from './age-format.js';
import { foldersOf, isBackup, type BackupKey } from './backup-key.js';
import {
  compared,
  comparedArchive,
  corrupt,
  decryptedArchive,
  ifGone,
  piecesIn,
} from './compared-archive.js';
import { Encryption } from './encryption.js';
import { piecesOfOpen } from './local-file.js';
import type { OpenArchive } from './open-archive.js';
import type { ResticArchives } from './restic/restic-archives.js';
import { ResticAttempt } from './restic/restic-attempt.js';
import type { ResticEngine } from './restic/restic-engine.js';
import {
  MANIFEST,
  type Pieces,
  type Store,
  type StoreAttempt,
  type StoredArchive,
  type StoredFolder,
} from './store.js';

export type { BackupKey } from './backup-key.js';

/** What a backup's folder needs of restic. */
export interface ResticUse {
  readonly engine: ResticEngine;
  /** Removes a snapshot, and sees to it that its room comes back. */
  readonly forget: (snapshot: string) => void;
}

/** One backup in a store: its archive and its manifest, as they are written and checked. */
export class BackupFolder {
  /** Where it lies: for people. */
  readonly path: string;
  private readonly stored: StoredFolder;

  constructor(
    private readonly store: Store,
    private readonly name: BackupKey,
    private readonly encryption: Encryption,
    private readonly restic: ResticUse,
  ) {
    if (!isBackup(name.backup))
      throw new LiftlockError('invalid_step', `${name.backup} is no name for a backup`);
    this.stored = store.folder(name);
    this.path = this.stored.location;
  }

  /**
   * As it lies there: what it has of entries may be sealed, see `opened`.
   * @throws LiftlockError `data_corrupt`, naming the file, when there is a manifest that is not as it was written.
   */
  async manifest(): Promise<StoredManifest | undefined> {
    const bytes = await this.stored.manifest();
    if (bytes === undefined) return undefined;
    const path = `${this.path}/${MANIFEST}`;
    const parsed = parseManifest(bytes);
    if ('problem' in parsed) throw corrupt(path, parsed.problem);
    const [is, asked] = [foldersOf(parsed.manifest), foldersOf(this.name)].map((folders) =>
      folders.join('/'),
    );
    if (is !== asked) throw corrupt(path, `is of the backup ${is}`);
    return parsed.manifest;
  }

  /** Of the manifest's bytes: the same as long as they are. @returns nothing when there is none */
  async stamp(): Promise<string | undefined> {
    const hash = createHash('sha256');
    const pieces = this.stored.pieces?.(MANIFEST, new AbortController().signal);
    if (pieces === undefined) {
      const bytes = await this.stored.manifest();
      return bytes === undefined ? undefined : hash.update(bytes).digest('hex');
    }
    try {
      // whoever waits for something asks many times a second: none of it is held
      for await (const piece of pieces) hash.update(piece);
    } catch (error) {
      if (error instanceof LiftlockError && error.code === 'data_missing') return undefined;
      throw error;
    }
    return hash.digest('hex');
  }

  /**
   * With its entries, whether they are encrypted or not.
   * @throws LiftlockError `misconfigured`, naming the references to the keys, when none of them opens it, or restic's password does not
   */
  async opened(manifest: StoredManifest): Promise<Manifest> {
    const { sealed } = manifest;
    if (manifest.archive.restic !== undefined)
      await this.archives().assertOpens(new AbortController().signal);
    if (sealed === undefined) return { ...manifest, entries: manifest.entries ?? [] };
    const path = `${this.path}/${MANIFEST}`;
    const fileKeyOf = (header: Uint8Array): Promise<Uint8Array> =>
      this.encryption.fileKeyOf(header, path, sealed.recipients);
    const bytes = Readable.from([Buffer.from(sealed.entries, 'base64')]);
    try {
      const zipped = await collect(decryptFrames(bytes, fileKeyOf));
      const entries = parseEntries((await promisify(gunzip)(zipped)).toString('utf8'));
      if (entries !== undefined) return { ...manifest, entries };
    } catch (error) {
      if (error instanceof LiftlockError) throw error;
    }
    throw corrupt(path, 'has sealed entries that are not as they were written');
  }

  /**
   * Holds open the archive's file, as it was written, for whoever reads it by itself: what was verified of it is what is read then.
   * @returns nothing where it is to be had as a stream only; to be closed by the caller
   */
  async holdArchive({
    sealed,
    archive,
  }: Pick<StoredManifest, 'archive' | 'sealed'>): Promise<FileHandle | undefined> {
    if (sealed !== undefined || archive.restic !== undefined) return undefined;
    try {
      return await this.stored.open?.(archive.file);
    } catch (error) {
      throw ifGone(error, `${this.path}/${archive.file}`);
    }
  }

  /**
   * Reads all of the archive, as it lies there, encrypted or not, or as restic gives it.
   * @param onBytes told how many more were read; waited for
   * @param held by `holdArchive`: its position stays where it is
   * @throws LiftlockError `data_corrupt`, naming the file, unless it is what the manifest says
   */
  async verifyArchive(
    { archive }: Pick<StoredManifest, 'archive'>,
    signal: AbortSignal,
    onBytes: (bytes: number) => void | Promise<void> = () => undefined,
    held?: FileHandle,
  ): Promise<void> {
    const stored =
      held === undefined
        ? piecesIn(this.source(archive), archive, signal)
        : piecesOfOpen(held, `${this.path}/${archive.file}`, signal);
    for await (const { length } of compared(stored, this.path, archive)) await onBytes(length);
  }

  /**
   * The archive, decrypted where it is encrypted; its stream ends with an error, `data_corrupt`, unless it was what the manifest says.
   * @param onBytes told how many more were read, as they are stored
   */
  readArchive(
    manifest: StoredManifest,
    signal: AbortSignal,
    onBytes?: (bytes: number) => void,
  ): Readable {
    const { sealed, archive } = manifest;
    const stored = comparedArchive(this.source(archive), this.path, archive, signal, onBytes);
    // restic has decrypted it already
    if (sealed === undefined || archive.restic !== undefined) return stored;
    const path = `${this.path}/${archive.file}`;
    return decryptedArchive(stored, this.encryption, sealed.recipients, { path, signal });
  }

  private source({ restic }: StoredArchive): Pick<StoredFolder, 'read' | 'pieces'> {
    if (restic === undefined) return this.stored;
    return { read: (file, signal) => this.archives().read(restic.snapshot, file, signal) };
  }

  /**
   * What a look at names and sizes tells; contents are not read. `damaged`: the archive is gone, or not as long as it was.
   * @param snapshot of restic, where that has the archive
   */
  async look(
    archiveBytes: number,
    snapshot?: string | null,
  ): Promise<'there' | 'damaged' | 'missing'> {
    const sizes = await this.stored.sizes();
    if (sizes === undefined) return 'missing';
    if (typeof snapshot === 'string') {
      const names = await this.store.restic(this.name).names('snapshots');
      return names.includes(snapshot) ? 'there' : 'damaged';
    }
    const isThere = [...sizes].some(
      ([file, bytes]) => file.startsWith('data.') && bytes === archiveBytes,
    );
    return isThere ? 'there' : 'damaged';
  }

  /**
   * Takes it out of the repository at once.
   * @param snapshot of restic that goes with it. Left out: it is left to the sweep, and what comes next has its pieces
   * @returns what deletes its files; nothing when it was not there
   */
  async takeOut(snapshot?: string | null): Promise<(() => Promise<void>) | undefined> {
    const deleteFiles = await this.stored.takeOut();
    if (deleteFiles === undefined || typeof snapshot !== 'string') return deleteFiles;
    return async () => {
      await deleteFiles();
      this.restic.forget(snapshot);
    };
  }

  /** What restic has of its application. @throws LiftlockError `misconfigured` when nobody says its password */
  archives(): ResticArchives {
    return this.restic.engine.at(this.store, this.name);
  }

  /**
   * Room for one attempt; what earlier ones left is removed.
   * @param engine what is to keep the archive; default `archive`. There must be a repository of restic
   * @throws LiftlockError `misconfigured` when it could not be read back
   */
  async begin(
    token: number,
    engine: DataEngine = 'archive',
    signal: AbortSignal = new AbortController().signal,
  ): Promise<BackupAttempt> {
    const { encryption, path, stored, name } = this;
    // seen before anything is touched
    if (encryption.recipients !== undefined) await encryption.newSeal(path);
    if (engine === 'archive')
      return new BackupAttempt(await stored.begin(token), path, encryption, encryption);
    const archives = this.archives();
    await archives.assertOpens(signal);
    const attempt = new ResticAttempt(await stored.begin(token), archives, name);
    return new BackupAttempt(attempt, path, encryption, new Encryption());
  }
}

export class BackupAttempt {
  constructor(
    private readonly attempt: StoreAttempt,
    private readonly path: string,
    /** Of the manifest's entries. */
    private readonly encryption: Encryption,
    /** Of the archive: none where restic encrypts it. */
    private readonly archiveEncryption: Encryption,
  ) {}

  /**
   * @param expectedBytes that it may have, as far as is known
   * @returns of what is stored: its name, which says whether it is encrypted, its bytes and their hash
   */
  async writeArchive(
    file: string,
    archive: Readable,
    signal: AbortSignal,
    onBytes?: (bytes: number) => void,
    expectedBytes?: number,
  ): Promise<StoredArchive> {
    const options = { onBytes, expectedBytes };
    if (this.archiveEncryption.recipients === undefined)
      return this.attempt.write(file, archive, signal, options);
    const seal = await this.archiveEncryption.newSeal(this.path);
    const encrypted = new PassThrough({ highWaterMark: 1024 * 1024 });
    // whoever writes sees how it ends
    pipeline(archive, (source: AsyncIterable<Buffer>) => encryptFrames(source, seal), encrypted, {
      signal,
    }).catch(() => undefined);
    return this.attempt.write(`${file}.age`, encrypted, signal, options);
  }

  /**
   * As `writeArchive`, for whoever writes the archive's file by itself.
   * @returns nothing where it takes a stream; to be closed by the caller
   */
  async openArchive(file: string): Promise<OpenArchive | undefined> {
    return this.archiveEncryption.recipients === undefined ? this.attempt.open?.(file) : undefined;
  }

  /**
   * What was written, as `BackupFolder.readArchive` gives it once it was published.
   * @param archive as `writeArchive` gave it
   */
  readArchive(archive: StoredArchive, signal: AbortSignal): Readable {
    const stored = comparedArchive(this.attempt, this.path, archive, signal);
    const { recipients } = this.archiveEncryption;
    if (recipients === undefined) return stored;
    return decryptedArchive(stored, this.archiveEncryption, recipients, {
      path: `${this.path}/${archive.file}`,
      signal,
    });
  }

  /** As `readArchive`, piece by piece. */
  pieces(archive: StoredArchive, signal: AbortSignal): Pieces {
    return this.archiveEncryption.recipients === undefined
      ? compared(piecesIn(this.attempt, archive, signal), this.path, archive)
      : this.readArchive(archive, signal);
  }

  /**
   * Makes all of it appear at once.
   * @returns as it lies there now
   * @throws LiftlockError `not_empty` when another attempt was faster.
   */
  async commit(manifest: Manifest, guard: () => Promise<void>): Promise<StoredManifest> {
    const stored = await this.sealed(manifest);
    await this.attempt.commit(manifestBytes(stored), guard);
    return stored;
  }

  discard(): Promise<void> {
    return this.attempt.discard();
  }

  private async sealed(manifest: Manifest): Promise<StoredManifest> {
    const { recipients } = this.encryption;
    if (recipients === undefined) return manifest;
    const zipped = await promisify(gzip)(entriesText(manifest.entries));
    const seal = await this.encryption.newSeal(this.path);
    const bytes = await collect(encryptFrames(Readable.from([zipped]), seal));
    return withSealedEntries(manifest, {
      format: 'age-encryption.org/v1',
      recipients: [...recipients],
      entries: bytes.toString('base64'),
    });
  }
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
