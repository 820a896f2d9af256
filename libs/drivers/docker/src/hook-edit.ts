import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { cleanPath } from '#drivers/data';
import { assertNever, LiftlockError } from '#kernel';
import { dataPlaces, readOnlyAsWritable } from './data-places.js';
import { editRecord, forgetEdit, recordEdit, type EditRecord } from './edit-records.js';
import { editText, type Edited } from './edit-text.js';
import { nameOf, type ContainerInfo, type Engine } from './engine.js';
import { clearCopyScript, FILE_EXIT, replaceFileScript, temporaryPath } from './file-scripts.js';
import type { HelperImages } from './helper-image.js';
import { removeLeftovers, runWithInput } from './helper.js';
import { hookInstance } from './hook-instance.js';
import { plannedOrNew } from './new-containers.js';
import { readInside, statInside } from './path-stat.js';

type Input = ActionInput<'hook.edit'>;
type Output = ActionOutput<'hook.edit'>;
type Found = Output['found'];

/** Largest file that is edited, in bytes. */
const MOST_BYTES = 1024 * 1024;

/** The file of an edit, and where it is. */
interface Place {
  readonly engine: Engine;
  readonly context: StepContext;
  readonly container: ContainerInfo;
  readonly path: string;
}

/** Lines of text files on a container's volumes and binds, replaced by a helper that has the same mounts. */
export class HookEdits {
  constructor(private readonly images: HelperImages) {}

  /** What it made is written down before it is made: a later attempt knows it by that, and so does the step that takes it back. */
  async run(engine: Engine, context: StepContext, input: Input): Promise<Output> {
    const { container, work, undoes } = input;
    const place = { engine, context, container: await at(engine, context, input), path: work.path };
    const record = await editRecord(engine, context, undoes ?? context.stepId);
    // a writer that was cut off must not come after us
    for (const id of new Set([place.container.Id, record?.containerId ?? place.container.Id]))
      await removeLeftovers(engine, context, id);
    if (undoes === undefined) return outputOf(await this.make(place, input, record));
    if (record?.by === 'us') {
      const found = await this.change(place, input);
      await forgetEdit(engine, context, undoes);
      return outputOf(found);
    }
    context.log(`${work.path} of ${container} was not changed by ${undoes}`);
    await refuseUnknown(place, input, record);
    await forgetEdit(engine, context, undoes);
    return outputOf('nothing_to_do');
  }

  async forget(
    engine: Engine,
    context: StepContext,
    { steps }: ActionInput<'hook.forget-edits'>,
  ): Promise<ActionOutput<'hook.forget-edits'>> {
    let found: Found = 'nothing_to_do';
    for (const step of steps) if (await forgetEdit(engine, context, step)) found = 'done_now';
    return outputOf(found);
  }

  private async make(place: Place, input: Input, record?: EditRecord): Promise<Found> {
    const { engine, context, container, path } = place;
    if (input.recorded && record?.by !== 'us') {
      const edited = await look(place, input);
      const by = edited.is === 'open' ? 'us' : 'others';
      if (record !== undefined && record.by !== by)
        await forgetEdit(engine, context, context.stepId);
      if (edited.is !== 'other') await recordEdit(engine, context, container.Id, path, by);
    }
    return this.change(place, input);
  }

  private async change(place: Place, input: Input): Promise<Found> {
    const { engine, context, container, path } = place;
    const before = await textOf(place);
    const edited = editText(before, input.work.replace);
    switch (edited.is) {
      case 'open': {
        context.log(`editing ${path} of ${nameOf(container)}`);
        const tools = await this.images.collected();
        const hashes = [sha256(before), sha256(edited.content)] as const;
        await this.help(place, replaceFileScript(tools, path, ...hashes), edited.content);
        return 'done_now';
      }
      case 'made':
        if ((await statInside(engine, context, container, temporaryPath(path))) !== undefined) {
          const tools = await this.images.collected();
          await this.help(place, clearCopyScript(tools, path), Buffer.alloc(0));
        }
        return 'done_before';
      case 'other':
        throw refusal(
          place,
          `is not as ${input.undoes === undefined ? 'the edit wants it' : 'the edit left it'}: ${edited.why}`,
        );
      default:
        return assertNever(edited, 'edit');
    }
  }

  private async help(place: Place, script: string, input: Buffer): Promise<void> {
    const { engine, context, container, path } = place;
    const run = {
      images: this.images,
      tools: await this.images.collected(),
      source: container,
      binds: readOnlyAsWritable(dataPlaces(container, [posix.dirname(path)])),
      script,
      what: `editing ${path} of ${nameOf(container)}`,
      failed: (exitCode: number, stderr: string) => failure(place, exitCode, stderr),
    };
    await runWithInput(engine, context, run, Readable.from([input]));
  }
}

/** Of a lane's hook what it began with, whatever has its name by now; of the whole application what has the name. */
function at(engine: Engine, context: StepContext, input: Input): Promise<ContainerInfo> {
  const { container, containerId } = input;
  return containerId === undefined
    ? hookInstance(engine, context, { container })
    : plannedOrNew(engine, context, { container, containerId });
}

async function look(place: Place, { work }: Input): Promise<Edited> {
  return editText(await textOf(place), work.replace);
}

/** A record that somebody removed, with all volumes that nothing uses, must not pass for an edit that was never made. */
async function refuseUnknown(place: Place, input: Input, record?: EditRecord): Promise<void> {
  if (record !== undefined) return;
  const found = await look(place, input).catch((error: unknown) => {
    // what could not be edited was not
    if (error instanceof LiftlockError && /^(hook_failed|data_missing)$/.test(error.code))
      return undefined;
    throw error;
  });
  if (found?.is !== 'open') return;
  throw refusal(
    place,
    'is as the edit would leave it, and no record says whether this upgrade made it: put it back by hand if it did, and skip this step',
  );
}

/** @throws LiftlockError `hook_failed` where it is no text file that can be replaced at once. */
async function textOf(place: Place): Promise<Buffer> {
  const { engine, context, container, path } = place;
  if (container.Mounts.some(({ Destination }) => cleanPath(Destination) === path))
    throw refusal(
      place,
      'is mounted by itself, so that it cannot be replaced at once: mount the folder that it lies in',
    );
  dataPlaces(container, [posix.dirname(path)]);
  const found = await statInside(engine, context, container, path);
  if (found === undefined) throw refusal(place, 'is not there');
  switch (found.kind) {
    case 'link':
      throw refusal(place, 'is a symbolic link: name the file that it leads to');
    case 'directory':
    case 'other':
      throw refusal(place, 'is no file');
    case 'file':
      break;
    default:
      assertNever(found.kind, 'kind of file');
  }
  const content = await readInside(engine, context, container, path, MOST_BYTES);
  if (content === undefined) throw refusal(place, 'is not there');
  if (content.length > MOST_BYTES)
    throw refusal(place, `has ${found.size} bytes, and at most 1 MiB (${MOST_BYTES}) is edited`);
  if (content.includes(0)) throw refusal(place, 'is no text: it holds NUL');
  return content;
}

function refusal({ engine, container, path }: Place, why: string): LiftlockError {
  return new LiftlockError(
    'hook_failed',
    `${path} of ${nameOf(container)} on ${engine.name} ${why}`,
    { details: { container: nameOf(container), path } },
  );
}

function failure(place: Place, exitCode: number, stderr: string): LiftlockError {
  const { engine, container, path } = place;
  const said = stderr.split('\n').filter((line) => line !== '');
  switch (exitCode) {
    case FILE_EXIT.changed:
      return refusal(place, 'was changed while it was edited: try again');
    case FILE_EXIT.linked:
      return refusal(
        place,
        'has other names (hard links), which would go on with what it was: let it have one',
      );
    case FILE_EXIT.cut:
    case 137: // killed: the helper was removed by a later attempt, or memory ran out
      return new LiftlockError(
        'target_unreachable',
        `editing ${path} of ${nameOf(container)} on ${engine.name} failed: its helper was ended`,
      );
    default: {
      const isFull = /No space left on device|Disk quota exceeded/.test(stderr);
      return new LiftlockError(
        isFull ? 'disk_full' : 'target_refused',
        `editing ${path} of ${nameOf(container)} on ${engine.name} failed (exit code ${exitCode}): ${said[0] ?? 'it said nothing'}`,
        { details: { exitCode, stderr: said.slice(-20) } },
      );
    }
  }
}

function outputOf(found: Found): Output {
  return { found, said: [] };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
