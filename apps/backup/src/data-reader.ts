import type { ActionInput } from '#contracts';
import type { DataDriver, DataEntry, DataSpace, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { assertPaused, assertUnused } from './data-in-use.js';
import { differences } from './domain/differences.js';
import type { StoredArchive } from './repository/store.js';
import type { SnapshotRoom } from './room.service.js';

type Input = ActionInput<'data.snapshot'>;

export type MakeRoom = (space: DataSpace) => Promise<SnapshotRoom>;
export type WriteArchive = (
  room: SnapshotRoom,
  stream: Awaited<ReturnType<DataDriver['read']>>,
  signal: AbortSignal,
) => Promise<StoredArchive>;

/** Archive and list, which agree with one another; or, of what was written to meanwhile, the lists around it. */
export interface ReadData {
  readonly archive: StoredArchive;
  readonly room: SnapshotRoom;
  /** Names of what ran on it, or stood still. */
  readonly ran: readonly string[];
  readonly listed:
    | { readonly entries: readonly DataEntry[] }
    | { readonly before: readonly DataEntry[]; readonly after: readonly DataEntry[] };
}

/** Reads data as its consistency asks for it. @throws LiftlockError `data_changed`, `data_in_use` where it was not as quiet as it was to be */
export async function readData(
  data: DataDriver,
  context: StepContext,
  input: Input,
  makeRoom: MakeRoom,
  write: WriteArchive,
): Promise<ReadData> {
  return input.consistency === 'running'
    ? readRunning(data, context, input, makeRoom, write)
    : readQuiet(data, context, input, makeRoom, write);
}

/** At once, where the driver can: the service is down, or stands still, meanwhile, and nothing that could change the data runs. */
async function readQuiet(
  data: DataDriver,
  context: StepContext,
  input: Input,
  makeRoom: MakeRoom,
  write: WriteArchive,
): Promise<ReadData> {
  // that it is stopped was seen already
  const ran = input.consistency === 'paused' ? await seen('no snapshot is taken') : [];
  if (data.readMeasured === undefined) {
    const room = await makeRoom(await data.space(context, input));
    const entries = await data.list(context, input);
    const archive = await write(room, await data.read(context, input), context.signal);
    await seen('the snapshot does not count');
    return { archive, room, ran, listed: { entries } };
  }
  const { archive, entries, room } = await data.readMeasured(context, input, makeRoom);
  try {
    const written = await write(room, archive, context.signal);
    const listed = { entries: await entries };
    await seen('the snapshot does not count');
    return { archive: written, room, ran, listed };
  } catch (error) {
    // what was not read to its end would be held open
    archive.destroy();
    context.signal.throwIfAborted();
    throw error;
  }

  async function seen(what: string): Promise<string[]> {
    if (input.consistency === 'paused') return assertPaused(data, context, input, what);
    await assertUnused(data, context, input, what);
    return [];
  }
}

async function readRunning(
  data: DataDriver,
  context: StepContext,
  input: Input,
  makeRoom: MakeRoom,
  write: WriteArchive,
): Promise<ReadData> {
  const ran = await data.usedBy(context, input);
  const room = await makeRoom(await data.space(context, input));
  if (data.listChanging === undefined || data.readChanging === undefined) {
    const entries = await data.list(context, input);
    const archive = await write(room, await data.read(context, input), context.signal);
    assertSame(entries, await data.list(context, input), input);
    return { archive, room, ran, listed: { entries } };
  }
  const before = await data.listChanging(context, input);
  const archive = await write(room, await data.readChanging(context, input), context.signal);
  const after = await data.listChanging(context, input);
  return { archive, room, ran, listed: { before, after } };
}

function assertSame(
  before: readonly DataEntry[],
  after: readonly DataEntry[],
  source: Input,
): void {
  const changed = differences(before, after);
  if (changed.length === 0) return;
  throw new LiftlockError(
    'data_changed',
    `the data of ${source.container} changed while it was read: ${changed.join('; ')}`,
  );
}
