import { Inject, Injectable } from '@nestjs/common';
import type { DataEngine } from '#contracts';
import type { DataDriver, DataSource, DataSpace, StepContext } from '#drivers/core';
import { LiftlockError, mebibytes } from '#kernel';
import { UnitOfWork } from '#persistence';
import type { Manifest } from './domain/manifest.js';
import { archiveEstimate, shortageOf, tightDisk } from './domain/room.js';
import { BackupStore } from './persistence/backup.store.js';
import { StoreSpace, type PromisedRoom } from './repository/store-space.js';
import { EXPECTED_RATIO } from './tokens.js';

/** The data, and whether a restore keeps what it finds (unless it says false). */
export type KeptSource = DataSource & { readonly keepAside?: boolean | undefined };

export interface SnapshotRoom extends PromisedRoom {
  readonly space: DataSpace;
  /** Bytes that the data takes on its disks. */
  readonly dataBytes: number;
  /** That the archive may take in the repository. */
  readonly archiveBytes: number;
  /** That may pass while it is written. */
  readonly passingBytes: number;
}

/** Whether there is room for what a step is about to write: seen before it begins, not in the middle of it. */
@Injectable()
export class RoomService {
  constructor(
    private readonly work: UnitOfWork,
    private readonly backups: BackupStore,
    private readonly store: StoreSpace,
    @Inject(EXPECTED_RATIO) private readonly ratio: number,
  ) {}

  /**
   * Room in the repository, to be released when the snapshot has ended.
   * @throws LiftlockError `disk_full`, saying how much there is and how much may be needed; also where a restore would not have the room
   *   to keep what it finds: better known now than on the way back
   */
  async forSnapshot(
    context: StepContext,
    source: KeptSource & { readonly engine?: DataEngine | undefined },
    space: DataSpace,
  ): Promise<SnapshotRoom> {
    const tight = source.keepAside === false ? undefined : tightDisk(space);
    if (tight !== undefined) {
      throw new LiftlockError(
        'disk_full',
        `a restore could not keep what it finds until its outcome is known good: the data of ${source.container} on ${context.target.name} takes ` +
          `${mebibytes(tight.usedBytes)} at ${tight.places[0]}, and ${mebibytes(tight.freeBytes)} are free there; make room, or let the component's document ` +
          'say data.keepAside: false; no snapshot is taken',
        { details: { ...tight } },
      );
    }
    const at = {
      environment: context.environment,
      target: context.target.name,
      container: source.container,
    };
    const forerunner = await this.work.single((db) =>
      this.backups.lastPacked(db, at, source.engine ?? 'archive'),
    );
    const { bytes, dataBytes, passingBytes } = archiveEstimate(space, this.ratio, forerunner);
    const wayOut =
      forerunner === undefined
        ? ', or say by LIFTLOCK_BACKUP_RATIO how well such data is known to pack'
        : '';
    const what = `an archive of ${mebibytes(dataBytes)} of data of ${source.container}`;
    const promised = await this.store.promise(bytes, what, wayOut);
    return { ...promised, space, dataBytes, archiveBytes: bytes, passingBytes };
  }

  /**
   * @param name under which what is there is kept
   * @returns whether it is kept
   * @throws LiftlockError `disk_full` when what the backup holds surely does not fit where it came from
   */
  async forRestore(
    context: StepContext,
    source: KeptSource,
    data: DataDriver,
    manifest: Manifest,
    name: string,
  ): Promise<boolean> {
    const space = await data.space(context, source);
    // an earlier attempt that has moved all of it aside needs no more room than there is beside it
    const isKept = space.keptAside.includes(name);
    if (manifest.spaceBytes === undefined) {
      context.log(
        'the backup does not say how much room its data takes: free room is not looked at, and what is there is not kept',
      );
      return isKept;
    }
    const keeps = isKept || source.keepAside !== false;
    const short = shortageOf(manifest, space, keeps && !isKept);
    if (short === undefined) return keeps;
    if (keeps && !isKept) {
      throw new LiftlockError(
        'disk_full',
        `the backup ${manifest.backup} does not fit beside what is at ${short.place} of ${source.container} on ${context.target.name} now, which is kept until ` +
          `the outcome is known good: it needs ${mebibytes(short.neededBytes)}, and there are ${mebibytes(short.roomBytes)}; make room there, and retry; ` +
          'upgrades whose document says data.keepAside: false need none; nothing was touched',
        { details: { ...short } },
      );
    }
    throw new LiftlockError(
      'disk_full',
      `the backup ${manifest.backup} does not fit at ${short.place} of ${source.container} on ${context.target.name}: it needs ` +
        `${mebibytes(short.neededBytes)}, and there are ${mebibytes(short.roomBytes)} with what the present data gives back; make room there; nothing was touched`,
      { details: { ...short } },
    );
  }
}
