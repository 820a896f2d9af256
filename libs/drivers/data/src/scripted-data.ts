import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { AtWork, DataEntry, DataSpace, StepContext } from '#drivers/core';
import type { LiftlockError } from '#kernel';
import { settleScript } from './data-aside.js';
import { entriesIn, parseEntries } from './data-entries.js';
import { dataError } from './data-errors.js';
import type { DataPlaces } from './data-places.js';
import {
  EXIT,
  listChangingScript,
  listScript,
  readChangingScript,
  readMeasuredScript,
  readScript,
  spaceScript,
  writeAndListScript,
  writeScript,
} from './data-scripts.js';
import { parseSpace, spaceIn } from './data-space.js';
import type { DataTools } from './data-tools.js';
import { ListThenWords, type ErrorText } from './error-text.js';
import { ZeroEnded } from './zero-ended.js';

/** What is to be run where the data is. */
export interface ScriptRun {
  /** Of a POSIX shell. */
  readonly script: string;
  /** What it does, for messages. */
  readonly what: string;
  /** Whether it changes the data. */
  readonly writes: boolean;
  /** What to make of its failing. */
  readonly failed: (exitCode: number, stderr: string) => LiftlockError;
}

/** Runs scripts where the data is; whatever becomes of an attempt, nothing of it goes on at work there for long. */
export interface ScriptRunner {
  /**
   * Gives its output; the stream ends only after the script ended well.
   * @param errors takes what it writes to its standard error; default: its last words
   * @param input what it is told on its standard input, once that is known
   */
  forOutput(run: ScriptRun, errors?: ErrorText, input?: Promise<string>): Promise<Readable>;
  /** Waits for its end. It must end with an exit code before its input does, or take all of it in. */
  withInput(run: ScriptRun, input: Readable): Promise<void>;
}

/** One whose scripts are given files of the service's own machine. */
export interface LocalRunner extends ScriptRunner {
  /** As `forOutput`, the output being a file, from the descriptor's position on. */
  intoFile(
    file: FileHandle,
    run: ScriptRun,
    errors: ErrorText,
    input: Promise<string>,
  ): Promise<AtWork>;
  /**
   * Waits for its end, the input being a file, from the descriptor's position on.
   * @param take reads all of the output, as of `forOutput`
   */
  fromFile<T>(file: FileHandle, run: ScriptRun, take: (output: Readable) => Promise<T>): Promise<T>;
}

/** Some data, and what reads and writes it there. */
export interface ScriptedData {
  /** Whose data it is, for messages. */
  readonly of: string;
  readonly tools: DataTools;
  readonly places: DataPlaces;
  readonly runner: ScriptRunner;
  /** As `DataSource.plain`. */
  readonly plain: boolean | undefined;
}

export interface LocalData extends ScriptedData {
  readonly runner: LocalRunner;
}

/** As `DataDriver.list`. Sockets are left out: no archive holds them, and none means anything once its process has ended. */
export async function listData(context: StepContext, data: ScriptedData): Promise<DataEntry[]> {
  const { tools, places, runner } = data;
  const output = await runner.forOutput(reading(data, 'listing', listScript(tools, places)));
  return comparable(context, await parseEntries(output, places));
}

/** As `DataDriver.listChanging`. */
export async function listChangingData(
  context: StepContext,
  data: ScriptedData,
): Promise<DataEntry[]> {
  const { tools, places, runner } = data;
  const run = reading(data, 'listing', listChangingScript(tools, places));
  return comparable(context, await parseEntries(await runner.forOutput(run), places));
}

/** As `DataDriver.space`. */
export async function measureData(data: ScriptedData): Promise<DataSpace> {
  const { tools, places, runner } = data;
  const output = await runner.forOutput(reading(data, 'measuring', spaceScript(tools, places)));
  return parseSpace(output, places);
}

/** As `DataDriver.read`. */
export async function readData(data: ScriptedData): Promise<Readable> {
  const { tools, places, runner, plain } = data;
  return runner.forOutput(reading(data, 'reading', readScript(tools, places, plain)));
}

/** As `DataDriver.readChanging`. */
export async function readChangingData(data: ScriptedData): Promise<Readable> {
  const { tools, places, runner, plain } = data;
  return runner.forOutput(reading(data, 'reading', readChangingScript(tools, places, plain)));
}

/** As `DataDriver.readMeasured`: to start what runs scripts may take more than to read a small volume. */
export async function readDataMeasured<T>(
  context: StepContext,
  data: ScriptedData,
  makeRoom: (space: DataSpace) => Promise<T>,
): Promise<{ archive: Readable; entries: Promise<DataEntry[]>; room: T }> {
  const begun = await measured(context, data, makeRoom, async (run, errors, begin, over) => {
    const archive = await data.runner.forOutput(run, errors, begin);
    archive.once('close', () => {
      if (archive.readableEnded) over();
      else over(archive.errored ?? new Error(`${run.what} was broken off`));
    });
    return { archive, end: () => void archive.destroy() };
  });
  return { archive: begun.running.archive, entries: begun.entries, room: begun.room };
}

/** As `DataDriver.readMeasuredInto`. */
export async function readDataMeasuredInto<T>(
  context: StepContext,
  data: LocalData,
  file: FileHandle,
  makeRoom: (space: DataSpace) => Promise<T>,
): Promise<AtWork & { entries: Promise<DataEntry[]>; room: T }> {
  const { running, ...rest } = await measured(
    context,
    data,
    makeRoom,
    async (run, errors, begin, over) => {
      const script = await data.runner.intoFile(file, run, errors, begin);
      script.ended.then(() => over(), over);
      return script;
    },
  );
  return { ended: running.ended, end: running.end, ...rest };
}

/** @param start given what takes its standard error, what it is told on its standard input, and what is to be called when it is over */
async function measured<T, R extends Pick<AtWork, 'end'> & Partial<AtWork>>(
  context: StepContext,
  data: ScriptedData,
  makeRoom: (space: DataSpace) => Promise<T>,
  start: (
    run: ScriptRun,
    errors: ErrorText,
    begin: Promise<string>,
    over: (error?: Error) => void,
  ) => Promise<R>,
): Promise<{ running: R; entries: Promise<DataEntry[]>; room: T }> {
  const { tools, places, plain } = data;
  const run = reading(data, 'reading', readMeasuredScript(tools, places, plain));
  const errors = new ListThenWords();
  const begin = Promise.withResolvers<string>();
  const running = await start(run, errors, begin.promise, (error) => {
    if (error === undefined) errors.list.end();
    else errors.list.destroy(error);
  });
  const fields = new ZeroEnded(errors.list);
  let room: T;
  try {
    room = await makeRoom(await spaceIn(fields, places));
  } catch (error) {
    running.end();
    await running.ended?.catch(() => undefined);
    throw error;
  }
  begin.resolve('begin\n');
  const listed = async (): Promise<DataEntry[]> => {
    await fields.each(() => 'enough'); // the second empty field
    return comparable(context, await entriesIn(fields, places));
  };
  const entries = listed();
  // whoever has the archive sees how it ends
  entries.catch(() => undefined);
  return { running, entries, room };
}

/** As `DataDriver.write`. */
export async function writeData(
  data: ScriptedData,
  archive: Readable,
  keepAside?: string,
): Promise<void> {
  const { tools, places, runner, plain } = data;
  const script = writeScript(tools, places, keepAside, plain);
  await runner.withInput(writing(data, 'writing', script), archive);
}

/** As `DataDriver.writeFrom`. */
export async function writeDataFrom(
  context: StepContext,
  data: LocalData,
  archive: FileHandle,
  keepAside?: string,
): Promise<DataEntry[]> {
  const { tools, places, runner, plain } = data;
  const script = writeAndListScript(tools, places, keepAside, plain);
  const entries = await runner.fromFile(archive, writing(data, 'writing', script), (output) =>
    parseEntries(output, places),
  );
  return comparable(context, entries);
}

/** As `DataDriver.settle`. */
export async function settleData(data: ScriptedData, keptAside: readonly string[]): Promise<void> {
  const { tools, places, runner } = data;
  const script = settleScript(tools, places, keptAside, EXIT.keeping);
  const run = writing(data, 'removing what was kept aside of', script);
  await buffer(await runner.forOutput(run));
}

function reading({ of }: ScriptedData, doing: string, script: string): ScriptRun {
  const what = `${doing} the data of ${of}`;
  return { script, what, writes: false, failed: dataError(what, 'read') };
}

function writing({ of }: ScriptedData, doing: string, script: string): ScriptRun {
  const what = `${doing} the data of ${of}`;
  return { script, what, writes: true, failed: dataError(what, 'write') };
}

/** Without what no archive holds. */
function comparable(context: StepContext, entries: readonly DataEntry[]): DataEntry[] {
  const kept = entries.filter(({ type }) => type !== 'socket');
  if (kept.length < entries.length)
    context.log(`${entries.length - kept.length} sockets are not part of the data`);
  if (kept.some(({ attributes }) => attributes === undefined))
    context.log(
      'extended attributes are in the archive, and cannot be listed and compared: there is no getfattr (apt-get install attr), or it failed',
    );
  return kept;
}
