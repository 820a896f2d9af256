import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import type { ActionInput, ActionOutput, EphemeralFile } from '#contracts';
import type { FileDriver, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { dataPlaces, readOnlyAsWritable } from './data-places.js';
import { nameOf, type ContainerInfo, type Engine, type Engines } from './engine.js';
import { fileMarks, markFile, removeFileMarks, type FileMark } from './file-marks.js';
import { FILE_EXIT, removeFilesScript, temporaryPath, writeFilesScript } from './file-scripts.js';
import type { HelperImages } from './helper-image.js';
import { removeLeftovers, runWithInput } from './helper.js';
import { newContainersOf, plannedOrNew } from './new-containers.js';
import { statInside } from './path-stat.js';
import { plannedContainer } from './planned-container.js';

type Output = ActionOutput<'file.write'>;

/** Files on a container's volumes and binds, written and removed by a helper that has the same mounts. */
export class DockerFiles implements FileDriver {
  constructor(
    private readonly engines: Engines,
    private readonly images: HelperImages,
  ) {}

  async prepare(
    context: StepContext,
    input: ActionInput<'file.prepare'>,
  ): Promise<ActionOutput<'file.prepare'>> {
    const engine = this.engines.of(context.target);
    const container = await plannedContainer(engine, context, input);
    for (const folder of foldersOf(input.files.map(({ path }) => path))) {
      dataPlaces(container, [folder]);
      const found = await statInside(engine, context, container, folder);
      if (found?.kind !== 'directory') throw noFolder(container, folder, found?.kind);
    }
    await refuseForeign(engine, context, container, input.files);
    return {};
  }

  async write(context: StepContext, input: ActionInput<'file.write'>): Promise<Output> {
    const engine = this.engines.of(context.target);
    const container = await plannedContainer(engine, context, input);
    const { files } = input;
    const marked = await refuseForeign(engine, context, container, files);
    for (const { path } of files) {
      const folder = await statInside(engine, context, container, posix.dirname(path));
      if (folder === undefined) throw noFolder(container, posix.dirname(path), undefined);
      await markFile(engine, context, container.Id, path, folder.mtime);
    }
    const tools = await this.images.collected();
    const what = `writing ${list(files.map(({ path }) => path))} of ${input.container}`;
    context.log(what);
    const script = writeFilesScript(
      tools,
      files.map(({ path }) => ({ path, isOurs: marked.has(path) })),
    );
    try {
      const work = { paths: pathsOf(files), script, what };
      await this.run(engine, context, container, work, tar(files));
    } catch (error) {
      // somebody was quicker: what stands there is not ours, whatever was written down
      if (error instanceof LiftlockError && error.code === 'not_empty') {
        const all = await fileMarks(engine, context, container.Id);
        const wrong = all.filter(({ path }) => path === error.details?.['path']);
        await removeFileMarks(engine, context, wrong);
      }
      throw error;
    }
    return { found: 'done_now' };
  }

  async remove(context: StepContext, input: ActionInput<'file.remove'>): Promise<Output> {
    const engine = this.engines.of(context.target);
    const container = await plannedOrNew(engine, context, input);
    // a writer that was cut off must not come after us
    await removeLeftovers(engine, context, container.Id);
    const all = await fileMarks(engine, context, input.containerId);
    const ours = all.filter(({ path }) => input.paths.includes(path));
    const marked = new Set(ours.map(({ path }) => path));
    for (const path of input.paths) {
      if (marked.has(path)) continue;
      if ((await statInside(engine, context, container, path)) === undefined) continue;
      throw new LiftlockError(
        'not_empty',
        `${path} of ${nameOf(container)} on ${engine.name} is there, and no record says that an upgrade wrote it, so it stays: ` +
          'if it is not yours, remove it and retry; if it is yours, skip this step',
        { details: { container: nameOf(container), path } },
      );
    }
    if (marked.size === 0) return { found: 'nothing_to_do' };
    const paths = [...marked];
    const tools = await this.images.collected();
    const what = `removing ${list(paths)} of ${input.container}`;
    context.log(what);
    const script = removeFilesScript(
      tools,
      paths,
      await this.untouchedFolders(engine, context, ours),
    );
    await this.run(engine, context, container, { paths, script, what }, Readable.from([]));
    await removeFileMarks(engine, context, ours);
    return { found: 'done_now' };
  }

  /** While the new version has not run, nobody but us has changed the folders: they are to be as if nothing had been. */
  private async untouchedFolders(
    engine: Engine,
    context: StepContext,
    ours: readonly FileMark[],
  ): Promise<Map<string, string>> {
    const [first] = ours;
    const made =
      first === undefined ? [] : await newContainersOf(engine, context, first.containerId);
    if (made.some(({ State }) => State.Status !== 'created')) return new Map();
    return new Map(
      ours.flatMap(({ path, folderTime }) =>
        folderTime === undefined ? [] : [[posix.dirname(path), folderTime]],
      ),
    );
  }

  private async run(
    engine: Engine,
    context: StepContext,
    source: ContainerInfo,
    work: { readonly paths: readonly string[]; readonly script: string; readonly what: string },
    input: Readable,
  ): Promise<void> {
    const { script, what } = work;
    const run = {
      images: this.images,
      tools: await this.images.collected(),
      source,
      binds: readOnlyAsWritable(dataPlaces(source, foldersOf(work.paths))),
      script,
      what,
      failed: (exitCode: number, stderr: string) => failure(engine, source, what, exitCode, stderr),
    };
    // an engine that went away under this attempt may come back with its helper at work
    await removeLeftovers(engine, context, source.Id, 'own');
    await runWithInput(engine, context, run, input);
  }
}

/** What was there before stays: nobody but its owner can tell whether it may go. @returns the paths that are ours already. */
async function refuseForeign(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
  files: readonly EphemeralFile[],
): Promise<Set<string>> {
  const marked = new Set((await fileMarks(engine, context, container.Id)).map(({ path }) => path));
  for (const { path } of files) {
    if (marked.has(path)) continue;
    if ((await statInside(engine, context, container, path)) === undefined) continue;
    throw taken(engine, path, nameOf(container));
  }
  return marked;
}

function taken(engine: Engine, path: string, container: string): LiftlockError {
  return new LiftlockError(
    'not_empty',
    `${path} of ${container} on ${engine.name} is there already, and no upgrade wrote it, so it stays: move it away, or take it out of the component's files`,
    { details: { container, path } },
  );
}

function noFolder(
  container: ContainerInfo,
  folder: string,
  found: string | undefined,
): LiftlockError {
  return new LiftlockError(
    'data_missing',
    `${folder} of ${nameOf(container)}, which a file is to be written to, is ${found === undefined ? 'not there' : 'no folder'}: make it, or correct the path`,
    { details: { container: nameOf(container), folder } },
  );
}

/** The script's words are paths, never contents. */
function failure(
  engine: Engine,
  container: ContainerInfo,
  what: string,
  exitCode: number,
  stderr: string,
): LiftlockError {
  const said = stderr.split('\n').filter((line) => line !== '');
  const first = said[0] ?? '';
  switch (exitCode) {
    case FILE_EXIT.taken:
      return taken(engine, first, nameOf(container));
    case 137: // killed: the helper was removed by a later attempt, or memory ran out
    case 143: // ended with its host
      return new LiftlockError(
        'target_unreachable',
        `${what} on ${engine.name} failed: its helper was ended`,
      );
    default: {
      const isFull = /No space left on device|Disk quota exceeded/.test(stderr);
      return new LiftlockError(
        isFull ? 'disk_full' : 'target_refused',
        `${what} on ${engine.name} failed (exit code ${exitCode})${first === '' ? '' : `: ${first}`}`,
        { details: { exitCode, stderr: said.slice(-20) } },
      );
    }
  }
}

function tar(files: readonly EphemeralFile[]): Readable {
  const archive = pack();
  for (const { path, mode, uid, gid, content } of files) {
    const name = temporaryPath(path).slice(1);
    archive.entry({ name, mode: Number.parseInt(mode, 8), uid, gid }, content);
  }
  archive.finalize();
  return Readable.from(archive);
}

function foldersOf(paths: readonly string[]): string[] {
  return [...new Set(paths.map((path) => posix.dirname(path)))];
}

function pathsOf(files: readonly EphemeralFile[]): string[] {
  return files.map(({ path }) => path);
}

function list(paths: readonly string[]): string {
  return paths.length <= 3
    ? paths.join(', ')
    : `${paths.slice(0, 2).join(', ')} and ${paths.length - 2} more files`;
}
