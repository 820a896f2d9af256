import type { FileHandle } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import type { ActionInput, ActionOutput } from '#contracts';
import { transferMeter, type DataDriver, type DataEntry, type StepContext } from '#drivers/core';
import { LiftlockError, repeat } from '#kernel';
import { UnitOfWork } from '#persistence';
import { DataDrivers } from './data-drivers.js';
import { assertUnused } from './data-in-use.js';
import { differences, wasTouched } from './domain/differences.js';
import type { Manifest } from './domain/manifest.js';
import { BackupStore } from './persistence/backup.store.js';
import type { BackupFolder, BackupKey } from './repository/backup-folder.js';
import { positionOf } from './repository/local-file.js';
import { Repository } from './repository/repository.js';
import { RoomService } from './room.service.js';
import { assertSameFolder } from './same-folder.js';
import { outputOf } from './snapshot.service.js';

type Input = ActionInput<'data.restore'>;
type Output = ActionOutput<'data.restore'>;

/** Milliseconds between two looks at how far it is what reads an archive by itself. */
const LOOK_MS = 500;

/** Puts data back as it was: all of it, and nothing while anything runs on it. */
@Injectable()
export class RestoreService {
  constructor(
    private readonly work: UnitOfWork,
    private readonly backups: BackupStore,
    private readonly drivers: DataDrivers,
    private readonly room: RoomService,
    private readonly repository: Repository,
  ) {}

  /** @param exactly the backup is wanted, also where what lies there is newer and nothing of an upgrade wrote it */
  async restore(context: StepContext, input: Input, exactly?: 'exactly'): Promise<Output> {
    const { environment, application, upgrade } = context;
    const key = { environment, application, upgrade, backup: input.backup };
    const folder = this.repository.folder(key);
    const manifest = await this.load(context, input, folder);
    const data = await this.drivers.of(context, input);
    await assertSameFolder(data, context, input, manifest);
    await assertUnused(data, context, input, 'nothing is restored');
    const at = { environment, target: context.target.name, container: input.container };
    const halves = await this.work.run((tx) => this.backups.incomplete(tx, at));
    const isHalf = halves.some((half) => half.upgrade === upgrade && half.backup === input.backup);
    if (!isHalf && (await wasNotTouched(context, input, data, manifest))) {
      context.log(
        `the data of ${input.container} was not touched since the backup: nothing is written`,
      );
      return outputOf(manifest, folder.path);
    }
    const isNewer = exactly === undefined && halves.length === 0;
    if (isNewer && (await wasNotWrittenTo(context, input, data, manifest))) {
      context.log(
        `no new version was started on the data of ${input.container}, and nothing was written to it since the old one ended: nothing is restored, ` +
          'so that what the old one wrote after the backup is kept',
      );
      return outputOf(manifest, folder.path);
    }
    const ended = [...halves, key];
    if (isHalf && (await isAsInBackup(context, input, data, manifest))) {
      // cut off when all that was left was to remove what it kept
      await this.settle(context, input, data, ended);
      context.log(`the data of ${input.container} is as in the backup already, entry by entry`);
      return outputOf(manifest, folder.path);
    }
    const name = asideName(key);
    const keeps = await this.room.forRestore(context, input, data, manifest, name);
    const held = data.writeFrom === undefined ? undefined : await folder.holdArchive(manifest);
    let found: readonly DataEntry[];
    try {
      const told = progress(context, manifest, 'read');
      await folder.verifyArchive(manifest, context.signal, told, held);
      // it may have been started while the archive was read
      await assertUnused(data, context, input, 'nothing is restored');
      await context.guard();
      await this.work.run((tx) => this.backups.markIncomplete(tx, key));
      found = await putBack(context, input, data, {
        folder,
        manifest,
        held,
        name: keeps ? name : undefined,
      });
    } finally {
      await held?.close();
    }
    const wrong = differences(manifest.entries, found);
    if (wrong.length > 0) {
      throw new LiftlockError(
        'data_corrupt',
        `the data of ${input.container} is not as in the backup ${input.backup} after it was restored: ${wrong.join('; ')}${keeps ? `; what was there before is kept beside it in .liftlock-aside-${name}` : ''}`,
      );
    }
    if (keeps || halves.length > 0) await this.settle(context, input, data, ended);
    else await this.markRestored(ended);
    context.log(`${manifest.files} files are back and compared, entry by entry`);
    return outputOf(manifest, folder.path);
  }

  /**
   * Removes what is kept of a restore whose outcome is known good. What an earlier half restore kept is older than what this one found: the
   * outcome stands for all of them.
   */
  private async settle(
    context: StepContext,
    input: Input,
    data: DataDriver,
    ended: readonly BackupKey[],
  ): Promise<void> {
    await data.settle(context, input, [...new Set(ended.map(asideName))]);
    await this.markRestored(ended);
  }

  /** A half restore from another backup is written over, too. */
  private async markRestored(ended: readonly BackupKey[]): Promise<void> {
    await this.work.run(async (tx) => {
      for (const done of ended) await this.backups.markRestored(tx, done);
    });
  }

  /** The backup's manifest, listed: nothing is touched by it. */
  private async load(context: StepContext, input: Input, folder: BackupFolder): Promise<Manifest> {
    const manifest = await folder.manifest();
    if (manifest === undefined) {
      throw new LiftlockError(
        'data_missing',
        `there is no backup ${folder.path}; nothing was touched`,
      );
    }
    const { source, digest } = manifest;
    const same =
      source.container === input.container &&
      source.target.name === context.target.name &&
      source.folder === input.folder &&
      source.paths.join('\n') === input.paths.join('\n');
    if (!same) {
      throw new LiftlockError(
        'invalid_step',
        `the backup ${folder.path} is of ${pathsIn(source)} of ${source.container} on ${source.target.name}, and not of ` +
          `${pathsIn(input)} of ${input.container} on ${context.target.name}; nothing was touched`,
      );
    }
    const known = await this.work.run(async (tx) => {
      await this.backups.save(tx, manifest, folder.path);
      return this.backups.digestOf(tx, manifest);
    });
    if (known !== digest) {
      throw new LiftlockError(
        'data_corrupt',
        `${folder.path}/manifest.json is not the one that was written: it has ${digest}, and had ${known}; nothing was touched`,
      );
    }
    return folder.opened(manifest);
  }
}

function pathsIn({ paths, folder = '' }: Pick<Input, 'paths' | 'folder'>): string {
  return paths.map((path) => folder + path).join(', ');
}

/** Under which what a restore finds is kept: attempts of one step share it. */
function asideName({
  upgrade,
  backup,
}: {
  readonly upgrade: string;
  readonly backup: string;
}): string {
  return `${upgrade}-${backup}`;
}

/** How much of the archive has passed, told from time to time. */
function progress(
  context: StepContext,
  { archive }: Manifest,
  part: 'read' | 'restore',
): (bytes: number) => void {
  const told = transferMeter(context, part, part === 'read' ? 'read ' : 'put back ');
  let doneBytes = 0;
  return (bytes) => {
    doneBytes += bytes;
    told({ doneBytes, totalBytes: archive.bytes });
  };
}

/** From what was verified. @returns what is there then */
async function putBack(
  context: StepContext,
  input: Input,
  data: DataDriver,
  {
    folder,
    manifest,
    held,
    name,
  }: {
    readonly folder: BackupFolder;
    readonly manifest: Manifest;
    readonly held: FileHandle | undefined;
    /** Under which what is there is kept. */
    readonly name: string | undefined;
  },
): Promise<DataEntry[]> {
  const source = { ...input, plain: manifest.archive.format === 'tar' };
  const told = progress(context, manifest, 'restore');
  if (held === undefined || data.writeFrom === undefined) {
    const archive = folder.readArchive(manifest, context.signal, told);
    await data.write(context, source, archive, name);
    return data.list(context, input);
  }
  let seen = 0;
  const look = async (): Promise<void> => {
    const before = seen;
    seen = await positionOf(held);
    told(seen - before);
  };
  const looking = repeat(LOOK_MS, look, (error) =>
    context.log(`how much is put back cannot be told: ${String(error)}`, 'warn'),
  );
  let found: DataEntry[];
  try {
    found = await data.writeFrom(context, source, held, name);
  } finally {
    await looking.end();
  }
  await look();
  return found;
}

type Look = (
  context: StepContext,
  input: Input,
  data: DataDriver,
  manifest: Manifest,
) => Promise<boolean>;

/** Looks before it writes: what the new version never touched is left alone. */
const wasNotTouched: Look = async (context, input, data, { entries }) => {
  // to hash what was touched takes about as long as to put it back
  if (data.listChanging !== undefined) {
    const unhashed = await ifThere(async () => data.listChanging?.(context, input));
    if (unhashed === undefined || wasTouched(entries, unhashed)) return false;
  }
  const now = await ifThere(() => data.list(context, input));
  if (now === undefined || wasTouched(entries, now)) return false;
  return differences(entries, now, 1).length === 0;
};

/**
 * A backup of what ran is older than what the old version last wrote: that is lost only where a new one may have written, too. Of what was stopped
 * first, `wasNotTouched` says the same.
 */
const wasNotWrittenTo: Look = async (context, input, data, { consistency }) =>
  consistency !== 'stopped' && (await ifThere(() => data.isAsLeft(context, input))) === true;

/** As `restore` itself looks at its outcome. */
const isAsInBackup: Look = async (context, input, data, { entries }) => {
  const now = await ifThere(() => data.list(context, input));
  return now !== undefined && differences(entries, now).length === 0;
};

async function ifThere<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof LiftlockError && error.code === 'data_missing') return undefined;
    throw error;
  }
}
