import { Inject, Injectable } from '@nestjs/common';
import type { ActionInput, ActionOutput } from '#contracts';
import {
  transferMeter,
  type DataDriver,
  type DataEntry,
  type DataSource,
  type DataSpace,
  type StepContext,
} from '#drivers/core';
import { LiftlockError, type Clock } from '#kernel';
import { UnitOfWork } from '#persistence';
import { DataDrivers } from './data-drivers.js';
import { assertUnused } from './data-in-use.js';
import { differences } from './domain/differences.js';
import {
  countFiles,
  countTypes,
  sealManifest,
  type Manifest,
  type StoredManifest,
} from './domain/manifest.js';
import type { BackupAttempt, BackupFolder } from './repository/backup-folder.js';
import { Repository } from './repository/repository.js';
import type { StoredArchive } from './repository/store.js';
import { BackupStore } from './persistence/backup.store.js';
import { RoomService, type SnapshotRoom } from './room.service.js';
import { CLOCK } from './tokens.js';

type Input = ActionInput<'data.snapshot'>;
type Output = ActionOutput<'data.snapshot'>;

type MakeRoom = (space: DataSpace) => Promise<SnapshotRoom>;
type Write = (
  room: SnapshotRoom,
  stream: Awaited<ReturnType<DataDriver['read']>>,
  signal: AbortSignal,
) => Promise<StoredArchive>;

interface Copied {
  readonly entries: readonly DataEntry[];
  readonly archive: StoredArchive;
  readonly room: SnapshotRoom;
}

/** Puts an instance's data into the repository. */
@Injectable()
export class SnapshotService {
  constructor(
    private readonly work: UnitOfWork,
    private readonly backups: BackupStore,
    private readonly drivers: DataDrivers,
    private readonly room: RoomService,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly repository: Repository,
  ) {}

  async take(context: StepContext, input: Input): Promise<Output> {
    const folder = this.repository.folder({ ...context, backup: input.backup });
    const before = await folder.manifest();
    if (before !== undefined && input.consistency === 'stopped') {
      return this.foundBefore(context, folder, before);
    }
    const data = await this.drivers.of(context, input);
    await this.assertWhole(context, input);
    if (input.consistency === 'stopped') {
      await assertUnused(data, context, input, 'no snapshot is taken');
    }
    await context.guard();
    if (before !== undefined) await this.discardOutdated(context, folder, before);
    const attempt = await folder.begin(context.token);
    let room: SnapshotRoom | undefined;
    try {
      const manifest = await this.write(context, input, data, attempt, async (space) => {
        room = await this.room.forSnapshot(context, input, space);
        return room;
      });
      const committed = await attempt.commit(manifest, () => context.guard());
      return await this.save(committed, folder.path);
    } catch (error) {
      await attempt.discard();
      throw error;
    } finally {
      room?.release();
    }
  }

  private async write(
    context: StepContext,
    input: Input,
    data: DataDriver,
    attempt: BackupAttempt,
    makeRoom: MakeRoom,
  ): Promise<Manifest> {
    const { format, tools } = await data.archiver(context);
    const origin = await data.origin(context, input);
    // nothing runs on what is stopped: that was seen, and is seen again when the data was read
    const ran = input.consistency === 'stopped' ? [] : await data.usedBy(context, input);
    const startedAt = this.clock.now().toISOString();
    const file = `data.${format}`;
    const told = transferMeter(context, 'snapshot');
    let written = 0;
    const { entries, archive, room } = await this.copy(
      ...([context, input, data, makeRoom] as const),
      (its, stream, signal) =>
        attempt.writeArchive(
          file,
          stream,
          signal,
          (bytes) => {
            its.written(bytes);
            written += bytes;
            told({ doneBytes: written, totalBytes: Math.max(written, its.archiveBytes) });
          },
          its.archiveBytes,
        ),
    );
    const endedAt = this.clock.now().toISOString();
    const { target } = context;
    return sealManifest({
      version: input.folder === undefined ? 2 : 3,
      backup: input.backup,
      environment: context.environment,
      application: context.application,
      instance: instanceOf(context, input),
      upgrade: context.upgrade,
      stepId: context.stepId,
      token: context.token,
      createdAt: endedAt,
      consistency: input.consistency,
      source: {
        target,
        container: input.container,
        containerId: input.containerId,
        paths: input.paths,
        ...(input.folder === undefined ? {} : { folder: input.folder }),
        ...(origin.image === undefined
          ? {}
          : { image: { ...origin.image, digests: [...origin.image.digests] } }),
        mounts: origin.mounts.map((mount) => ({ ...mount })),
      },
      quiesced: { how: input.consistency, ran: [...ran], startedAt, endedAt },
      archive: { format, tools: { ...tools }, ...archive },
      ...countFiles(entries),
      counts: countTypes(entries),
      spaceBytes: room.dataBytes,
      entries: [...entries],
    });
  }

  /**
   * Archive and list, which must agree with one another. Of what is stopped at once, where the driver can: the service is down meanwhile,
   * and nothing that could change the data runs.
   */
  private async copy(
    context: StepContext,
    input: Input,
    data: DataDriver,
    makeRoom: MakeRoom,
    write: Write,
  ): Promise<Copied> {
    const { consistency } = input;
    if (consistency === 'stopped' && data.readMeasured !== undefined) {
      const { archive, entries, room } = await data.readMeasured(context, input, makeRoom);
      try {
        const written = await write(room, archive, context.signal);
        const copied = { entries: await entries, archive: written, room };
        await assertUnused(data, context, input, 'the snapshot does not count');
        return copied;
      } catch (error) {
        // what was not read to its end would be held open
        archive.destroy();
        context.signal.throwIfAborted();
        throw error;
      }
    }
    const room = await makeRoom(await data.space(context, input));
    const entries = await data.list(context, input);
    const archive = await write(room, await data.read(context, input), context.signal);
    if (consistency === 'running') assertSame(entries, await data.list(context, input), input);
    else await assertUnused(data, context, input, 'the snapshot does not count');
    return { entries, archive, room };
  }

  private async foundBefore(
    context: StepContext,
    folder: BackupFolder,
    manifest: StoredManifest,
  ): Promise<Output> {
    await folder.verifyArchive(manifest, context.signal);
    context.log(`${folder.path} was written before, and is whole`);
    return this.save(manifest, folder.path);
  }

  /**
   * What an earlier attempt published and never told of: what runs has written on since, and no step has built on it. It goes before the new
   * one is taken, whose name and room it has.
   */
  private async discardOutdated(
    context: StepContext,
    folder: BackupFolder,
    manifest: StoredManifest,
  ): Promise<void> {
    // the record first: what is killed in between is recorded again from its folder
    await this.work.run((tx) => this.backups.removeUntil(tx, manifest, manifest.createdAt));
    // an attempt that stood still until now must not take what a later one has written
    await context.guard();
    if ((await folder.manifest())?.digest !== manifest.digest)
      throw new LiftlockError('fenced', `${folder.path} is not what this attempt has found there`);
    const deleteFiles = await folder.takeOut();
    await deleteFiles?.();
    context.log(
      `${folder.path} was written at ${manifest.createdAt} by an attempt that was lost, and its data has been in use since: it is discarded, and taken anew`,
    );
  }

  /** @throws LiftlockError `data_corrupt` when a restore was cut off: what lies there is not worth a backup. */
  private async assertWhole(context: StepContext, input: Input): Promise<void> {
    const at = {
      environment: context.environment,
      target: context.target.name,
      container: input.container,
    };
    const [half] = await this.work.run((tx) => this.backups.incomplete(tx, at));
    if (half === undefined) return;
    throw new LiftlockError(
      'data_corrupt',
      `the data of ${input.container} on ${context.target.name} is half restored from the backup ${half.backup} of ${half.upgrade}; restore it first (docs/backup-format.md says how by hand)`,
    );
  }

  private async save(manifest: StoredManifest, location: string): Promise<Output> {
    await this.work.run(async (tx) => {
      // a walk through the repository may have recorded again what was discarded
      if (manifest.consistency === 'running')
        await this.backups.removeUntil(tx, manifest, manifest.createdAt);
      await this.backups.save(tx, manifest, location);
    });
    return outputOf(manifest, location);
  }
}

export function outputOf(manifest: StoredManifest, location: string): Output {
  const { backup, files, bytes, archive } = manifest;
  return {
    ...{ backup, location, files, bytes },
    ...{ archiveBytes: archive.bytes, archiveSha256: archive.sha256 },
  };
}

function assertSame(
  before: readonly DataEntry[],
  after: readonly DataEntry[],
  source: DataSource,
): void {
  const changed = differences(before, after);
  if (changed.length === 0) return;
  throw new LiftlockError(
    'data_changed',
    `the data of ${source.container} changed while it was read: ${changed.join('; ')}`,
  );
}

/** `<component>@<target>`, which stands in the step's id. */
function instanceOf({ stepId, target }: StepContext, { container }: Input): string {
  return stepId.split('/').find((part) => part.includes('@')) ?? `${container}@${target.name}`;
}
