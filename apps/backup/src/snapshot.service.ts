import { Inject, Injectable } from '@nestjs/common';
import type { ActionInput, ActionOutput } from '#contracts';
import type { DataDriver, DataEntry, DataSource, DataSpace, StepContext } from '#drivers/core';
import { LiftlockError, type Clock } from '#kernel';
import { UnitOfWork } from '#persistence';
import { DataDrivers } from './data-drivers.js';
import { assertUnused } from './data-in-use.js';
import { readData, type ReadData } from './data-reader.js';
import { readWhileRunning } from './domain/fuzzy.js';
import {
  countFiles,
  countTypes,
  sealManifest,
  versionFor,
  type Manifest,
  type ManifestBody,
  type StoredManifest,
} from './domain/manifest.js';
import type { BackupFolder } from './repository/backup-folder.js';
import { Repository } from './repository/repository.js';
import { BackupStore } from './persistence/backup.store.js';
import { QuietService, type QuietSource } from './quiet.service.js';
import { RoomService, type SnapshotRoom } from './room.service.js';
import { SnapshotArchive, type Archiver } from './snapshot-archive.js';
import { CLOCK } from './tokens.js';

/** As a step asks for it; by itself, outside of an upgrade, it is stopped here, too. */
export type SnapshotInput = ActionInput<'data.snapshot'> & Pick<QuietSource, 'stop'>;
type Output = ActionOutput<'data.snapshot'>;

/** What was read, and what is known of where from. */
interface Reading extends Archiver {
  readonly read: ReadData;
  readonly origin: Awaited<ReturnType<DataDriver['origin']>>;
  readonly startedAt: string;
  readonly endedAt: string;
}

/** Puts an instance's data into the repository. */
@Injectable()
export class SnapshotService {
  constructor(
    private readonly work: UnitOfWork,
    private readonly backups: BackupStore,
    private readonly drivers: DataDrivers,
    private readonly room: RoomService,
    private readonly quiet: QuietService,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly repository: Repository,
  ) {}

  /**
   * What was stopped or paused for it goes on as soon as it was read; then it is read back from the repository, and published only when it is what
   * was read.
   */
  async take(context: StepContext, input: SnapshotInput): Promise<Output> {
    const { consistency, hooks, stop } = input;
    // before anything else: what a dead attempt has paused waits for it
    if (consistency === 'paused' || hooks !== undefined || stop !== undefined)
      await this.quiet.releaseEarlier(context);
    const folder = this.repository.folder({ ...context, backup: input.backup });
    const before = await folder.manifest();
    const isStoppedForIt = consistency === 'stopped' && stop === undefined;
    if (before !== undefined && isStoppedForIt) {
      return this.foundBefore(context, folder, before);
    }
    const data = await this.drivers.of(context, input);
    await this.assertWhole(context, input);
    if (isStoppedForIt) await assertUnused(data, context, input, 'no snapshot is taken');
    await context.guard();
    if (before !== undefined) await this.discardOutdated(context, folder, before);
    await this.prepare(context, folder, input.engine);
    const archiver = await this.archiverOf(context, data, input);
    const attempt = await folder.begin(context.token, input.engine, context.signal);
    const archive = new SnapshotArchive(context, attempt, archiver.format);
    let room: SnapshotRoom | undefined;
    try {
      const reading = await this.quiet.during(context, input, async (quiet) => {
        if (stop !== undefined) await assertUnused(data, quiet, input, 'no snapshot is taken');
        const read = await this.read(quiet, input, data, archive, (made) => (room = made));
        return { ...read, ...archiver };
      });
      const manifest = await this.prove(context, input, archive, reading);
      const committed = await attempt.commit(manifest, () => context.guard());
      return await this.save(committed, folder.path, 'verified');
    } catch (error) {
      await attempt.discard();
      throw error;
    } finally {
      room?.release();
    }
  }

  private async read(
    context: StepContext,
    input: SnapshotInput,
    data: DataDriver,
    archive: SnapshotArchive,
    onRoom: (room: SnapshotRoom) => void,
  ): Promise<Omit<Reading, keyof Archiver>> {
    const source = sourceOf(input);
    const origin = await data.origin(context, source);
    const startedAt = this.clock.now().toISOString();
    const makeRoom = async (space: DataSpace): Promise<SnapshotRoom> => {
      const room = await this.room.forSnapshot(context, source, space);
      onRoom(room);
      return room;
    };
    const read = await readData(data, context, source, makeRoom, archive);
    return { read, origin, startedAt, endedAt: this.clock.now().toISOString() };
  }

  /** What was written, read back and compared with what is known of it. @throws LiftlockError `data_corrupt` */
  private async prove(
    context: StepContext,
    input: SnapshotInput,
    archive: SnapshotArchive,
    reading: Reading,
  ): Promise<Manifest> {
    const { listed, archive: stored } = reading.read;
    if ('entries' in listed) {
      const proof = listed.proof ?? (await archive.readBack(stored, listed.entries));
      const { entries, files, bytes, whole } = proof;
      const how = whole ? 'all of it' : `${entries} entries, ${files} files with ${bytes} bytes`;
      context.log(`the archive was read back, and is as it was written; compared: ${how}`);
      return this.seal(context, input, reading, { entries: listed.entries });
    }
    const archived = await archive.entries(stored);
    const { entries, fuzzy } = readWhileRunning(listed.before, archived, listed.after);
    context.log(
      `the archive was read back, and is as it was written: ${entries.length} entries are in it`,
    );
    if (fuzzy !== undefined) context.log(fuzzyText(input, fuzzy), 'warn');
    return this.seal(context, input, reading, {
      entries,
      ...(fuzzy === undefined ? {} : { fuzzy }),
    });
  }

  private seal(
    context: StepContext,
    input: SnapshotInput,
    { read, origin, format, tools, startedAt, endedAt }: Reading,
    found: { readonly entries: readonly DataEntry[] } & Pick<ManifestBody, 'fuzzy'>,
  ): Manifest {
    const { target } = context;
    const { consistency, hooks } = input;
    const commands = {
      ...(hooks?.before === undefined ? {} : { before: hooks.before.command.join(' ') }),
      ...(hooks?.after === undefined ? {} : { after: hooks.after.command.join(' ') }),
    };
    const quiesced = {
      ...{ how: consistency, ran: [...read.ran], startedAt, endedAt },
      ...(hooks === undefined ? {} : { hooks: commands }),
    };
    return sealManifest({
      version: versionFor({ quiesced, fuzzy: found.fuzzy, source: input, archive: read.archive }),
      backup: input.backup,
      environment: context.environment,
      application: context.application,
      instance: instanceOf(context, input),
      upgrade: context.upgrade,
      stepId: context.stepId,
      token: context.token,
      createdAt: endedAt,
      consistency,
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
      quiesced,
      ...(found.fuzzy === undefined ? {} : { fuzzy: found.fuzzy }),
      archive: { format, tools: { ...tools }, ...read.archive },
      ...countFiles(found.entries),
      counts: countTypes(found.entries),
      spaceBytes: read.room.dataBytes,
      entries: [...found.entries],
    });
  }

  /** One attempt at a time makes the application's repository of restic. */
  private async prepare(
    context: StepContext,
    folder: BackupFolder,
    engine: SnapshotInput['engine'],
  ): Promise<void> {
    if (engine !== 'restic') return;
    const archives = folder.archives();
    if (await archives.isThere()) return;
    await this.work.run(async (tx) => {
      await this.backups.lockApplication(tx, context);
      await archives.make(context.signal);
    });
  }

  /** Asked for before anything stands still for it. */
  private async archiverOf(
    context: StepContext,
    data: DataDriver,
    input: SnapshotInput,
  ): Promise<Archiver> {
    const { format, tools } = await data.archiver(context, sourceOf(input));
    if (input.engine !== 'restic') return { format, tools };
    return { format, tools: { ...tools, restic: await this.repository.restic.version() } };
  }

  private async foundBefore(
    context: StepContext,
    folder: BackupFolder,
    manifest: StoredManifest,
  ): Promise<Output> {
    // bytes that are as they were are no backup without their key
    await folder.opened(manifest);
    await folder.verifyArchive(manifest, context.signal);
    context.log(`${folder.path} was written before, and is whole`);
    return this.save(manifest, folder.path, 'verified');
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
  private async assertWhole(context: StepContext, input: SnapshotInput): Promise<void> {
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

  private async save(
    manifest: StoredManifest,
    location: string,
    verified: 'verified',
  ): Promise<Output> {
    await this.work.run(async (tx) => {
      // a walk through the repository may have recorded again what was discarded
      if (manifest.consistency !== 'stopped')
        await this.backups.removeUntil(tx, manifest, manifest.createdAt);
      await this.backups.save(tx, manifest, location, verified);
    });
    return outputOf(manifest, location);
  }
}

export function outputOf(manifest: StoredManifest, location: string): Output {
  const { backup, files, bytes, archive, fuzzy } = manifest;
  return {
    ...{ backup, location, files, bytes },
    ...(fuzzy === undefined ? {} : { warnings: [fuzzyText(manifest.source, fuzzy)] }),
    ...{ archiveBytes: archive.bytes, archiveSha256: archive.sha256 },
  };
}

function fuzzyText(
  { container }: { readonly container: string },
  { entries, some }: { readonly entries: number; readonly some: readonly string[] },
): string {
  const more = entries > some.length ? ' and others' : '';
  const named = some.length === 0 ? '' : ` (${some.join(', ')}${more})`;
  return (
    `the snapshot of ${container} is fuzzy: ${entries} of its files and folders changed while they were read${named}, ` +
    'so that they need not fit together'
  );
}

/** restic finds what it has already in what is not compressed. */
function sourceOf(input: SnapshotInput): SnapshotInput & Pick<DataSource, 'plain'> {
  return input.engine === 'restic' ? { ...input, plain: true } : input;
}

/** `<component>@<target>`, which stands in the step's id. */
function instanceOf({ stepId, target }: StepContext, { container }: SnapshotInput): string {
  return stepId.split('/').find((part) => part.includes('@')) ?? `${container}@${target.name}`;
}
