import type { ActionInput } from '#contracts';
import type { DataDriver, DataEntry, DataSpace, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { assertPaused, assertUnused } from './data-in-use.js';
import { differences } from './domain/differences.js';
import type { Proof } from './proof/archive-proof.js';
import type { StoredArchive } from './repository/store.js';
import type { SnapshotRoom } from './room.service.js';
import type { SnapshotArchive } from './snapshot-archive.js';

type Input = ActionInput<'data.snapshot'>;

export type MakeRoom = (space: DataSpace) => Promise<SnapshotRoom>;

/**
 * Archive and list, which agree with one another, with the proof of it where the archive was read back already; or, of what was written to
 * meanwhile, the lists around it.
 */
export interface ReadData {
  readonly archive: StoredArchive;
  readonly room: SnapshotRoom;
  /** Names of what ran on it, or stood still. */
  readonly ran: readonly string[];
  readonly listed:
    | { readonly entries: readonly DataEntry[]; readonly proof?: Proof }
    | { readonly before: readonly DataEntry[]; readonly after: readonly DataEntry[] };
}

/** Reads data as its consistency asks for it. @throws LiftlockError `data_changed`, `data_in_use` where it was not as quiet as it was to be */
export async function readData(
  data: DataDriver,
  context: StepContext,
  input: Input,
  makeRoom: MakeRoom,
  archive: SnapshotArchive,
): Promise<ReadData> {
  return input.consistency === 'running'
    ? readRunning(data, context, input, makeRoom, archive)
    : readQuiet(data, context, input, makeRoom, archive);
}

/** At once, where the driver can: the service is down, or stands still, meanwhile, and nothing that could change the data runs. */
async function readQuiet(
  data: DataDriver,
  context: StepContext,
  input: Input,
  makeRoom: MakeRoom,
  archive: SnapshotArchive,
): Promise<ReadData> {
  // that it is stopped was seen already
  const ran = input.consistency === 'paused' ? await seen('no snapshot is taken') : [];
  try {
    const read =
      (await readFollowed(data, context, input, makeRoom, archive)) ??
      (await readAsStream(data, context, input, makeRoom, archive));
    await seen('the snapshot does not count');
    return { ...read, ran };
  } catch (error) {
    context.signal.throwIfAborted();
    throw error;
  }

  async function seen(what: string): Promise<string[]> {
    if (input.consistency === 'paused') return assertPaused(data, context, input, what);
    await assertUnused(data, context, input, what);
    return [];
  }
}

/**
 * The archive's file is written by what reads the data, and read back by us meanwhile.
 * @returns nothing where one of them takes a stream
 */
async function readFollowed(
  data: DataDriver,
  context: StepContext,
  input: Input,
  makeRoom: MakeRoom,
  archive: SnapshotArchive,
): Promise<Omit<ReadData, 'ran'> | undefined> {
  if (data.readMeasuredInto === undefined) return undefined;
  const open = await archive.open();
  if (open === undefined) return undefined;
  try {
    const { room, ...written } = await data.readMeasuredInto(context, input, open.file, makeRoom);
    try {
      const { stored, proof } = await archive.follow(open, written, room, context.signal);
      return { archive: stored, room, listed: { entries: await written.entries, proof } };
    } catch (error) {
      written.end();
      // why it was broken off is known
      await written.ended.catch(() => undefined);
      throw error;
    }
  } finally {
    await open.close();
  }
}

async function readAsStream(
  data: DataDriver,
  context: StepContext,
  input: Input,
  makeRoom: MakeRoom,
  archive: SnapshotArchive,
): Promise<Omit<ReadData, 'ran'>> {
  if (data.readMeasured === undefined) {
    const room = await makeRoom(await data.space(context, input));
    const entries = await data.list(context, input);
    const stored = await archive.write(room, await data.read(context, input), context.signal);
    return { archive: stored, room, listed: { entries } };
  }
  const { archive: stream, entries, room } = await data.readMeasured(context, input, makeRoom);
  try {
    const stored = await archive.write(room, stream, context.signal);
    return { archive: stored, room, listed: { entries: await entries } };
  } catch (error) {
    // what was not read to its end would be held open
    stream.destroy();
    throw error;
  }
}

async function readRunning(
  data: DataDriver,
  context: StepContext,
  input: Input,
  makeRoom: MakeRoom,
  archive: SnapshotArchive,
): Promise<ReadData> {
  const ran = await data.usedBy(context, input);
  const room = await makeRoom(await data.space(context, input));
  if (data.listChanging === undefined || data.readChanging === undefined) {
    const entries = await data.list(context, input);
    const stored = await archive.write(room, await data.read(context, input), context.signal);
    assertSame(entries, await data.list(context, input), input);
    return { archive: stored, room, ran, listed: { entries } };
  }
  const before = await data.listChanging(context, input);
  const stream = await data.readChanging(context, input);
  const stored = await archive.write(room, stream, context.signal);
  const after = await data.listChanging(context, input);
  return { archive: stored, room, ran, listed: { before, after } };
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
