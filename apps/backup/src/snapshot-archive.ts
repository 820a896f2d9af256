import type { Readable } from 'node:stream';
import {
  transferMeter,
  type AtWork,
  type DataDriver,
  type DataEntry,
  type StepContext,
} from '#drivers/core';
import { entriesOf, proveArchive, type Proof } from './proof/archive-proof.js';
import type { BackupAttempt } from './repository/backup-folder.js';
import type { OpenArchive } from './repository/open-archive.js';
import type { StoredArchive } from './repository/store.js';
import type { SnapshotRoom } from './room.service.js';

/** What makes an archive, and what it is then. */
export type Archiver = Awaited<ReturnType<DataDriver['archiver']>>;

/** The archive of one snapshot: how it comes into the repository, and is read back from there. */
export class SnapshotArchive {
  private readonly file: string;

  constructor(
    private readonly context: StepContext,
    private readonly attempt: BackupAttempt,
    private readonly format: string,
  ) {
    this.file = `data.${format}`;
  }

  write(room: SnapshotRoom, stream: Readable, signal: AbortSignal): Promise<StoredArchive> {
    const { attempt, file } = this;
    return attempt.writeArchive(file, stream, signal, this.countedBy(room), room.archiveBytes);
  }

  /** For whoever writes it by itself. @returns nothing where it takes a stream; to be closed by the caller */
  open(): Promise<OpenArchive | undefined> {
    return this.attempt.openArchive(this.file);
  }

  /**
   * Reads it back while it is being written, all of it.
   * @throws LiftlockError `data_corrupt` when it is not what was listed
   */
  async follow(
    open: OpenArchive,
    { ended, entries }: Pick<AtWork, 'ended'> & { readonly entries: Promise<DataEntry[]> },
    room: SnapshotRoom,
    signal: AbortSignal,
  ): Promise<{ readonly stored: StoredArchive; readonly proof: Proof }> {
    const { file, format } = this;
    const pieces = open.pieces(ended, signal, this.countedBy(room));
    const proof = await proveArchive(pieces, { format, entries }, signal);
    return { stored: { file, ...(await open.filled()) }, proof };
  }

  /** @throws LiftlockError `data_corrupt` when it is not what was written, or not what was listed */
  readBack(archive: StoredArchive, entries: readonly DataEntry[]): Promise<Proof> {
    const { format, context } = this;
    const pieces = this.attempt.pieces(archive, context.signal);
    return proveArchive(pieces, { format, entries }, context.signal);
  }

  /** Of what was written. @throws LiftlockError `data_corrupt` when it is not what was written */
  entries(archive: StoredArchive): Promise<DataEntry[]> {
    const { format, context } = this;
    return entriesOf(this.attempt.pieces(archive, context.signal), context.signal, format);
  }

  private countedBy(room: SnapshotRoom): (bytes: number) => void {
    const told = transferMeter(this.context, 'snapshot');
    let doneBytes = 0;
    return (bytes) => {
      room.written(bytes);
      doneBytes += bytes;
      told({ doneBytes, totalBytes: Math.max(doneBytes, room.passingBytes) });
    };
  }
}
