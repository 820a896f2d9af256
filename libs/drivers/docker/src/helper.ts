import { setTimeout as delay } from 'node:timers/promises';
import { pipeline, type Duplex, type Readable } from 'node:stream';
import { pipeline as pipelineDone } from 'node:stream/promises';
import type { StepContext } from '#drivers/core';
import {
  LOSS,
  newMark,
  Tail,
  withMark,
  wordsBefore,
  type ErrorText,
  type ScriptEnd,
} from '#drivers/data';
import { LiftlockError, untilAborted } from '#kernel';
import type { ContainerInfo, Engine } from './engine.js';
import { abortedBy, engineError } from './errors.js';
import { Stdout, cutOff } from './frames.js';
import type { HelperImages } from './helper-image.js';
import type { HelperTools } from './helper-tools.js';
import { LABELS, filterOf, marks } from './labels.js';
import { removeFromEngine } from './remove-container.js';

/** For so long the last words of a helper that has ended are waited for, in milliseconds. */
const LAST_WORDS_MS = 2000;

export interface HelperRun {
  readonly images: HelperImages;
  readonly tools: HelperTools;
  /** Whose volumes and binds it gets; default: nobody's. */
  readonly source?: ContainerInfo;
  /** A folder inside that is a volume, which goes with the helper. */
  readonly volume?: string;
  /** Mounts besides the source's, in place of one at the same destination: `source:destination`. */
  readonly binds?: readonly string[];
  /** Of a POSIX shell, as those of `#drivers/data`. */
  readonly script: string;
  /** What it does, for messages. */
  readonly what: string;
  /** What to make of its failing. */
  readonly failed: (exitCode: number, stderr: string) => LiftlockError;
}

/**
 * Runs a script in a helper and gives its output; the stream ends only after the script ended well.
 * @param errors takes what it writes to its standard error
 * @param input what it is told on its standard input, once that is known
 */
export async function runForOutput(
  engine: Engine,
  context: StepContext,
  run: HelperRun,
  errors: ErrorText = new Tail(),
  input?: Promise<string>,
): Promise<Readable> {
  const helper = await startHelper(engine, context, run, 'ends-when-read');
  void input?.then((text) => helper.stream.write(text));
  const output = new Stdout(errors, {
    mark: helper.mark,
    onMarks: () => void helper.stream.write('read\n'),
    check: () => helper.ended(errors),
  });
  // before the pipeline hands on the bare one
  helper.stream.on('error', (error) => output.destroy(engineError(engine, run.what, error)));
  pipeline(helper.stream, output, () => undefined); // an error reaches the reader through `output`
  const abort = (): void => void output.destroy(abortedBy(context.signal, run.what));
  context.signal.addEventListener('abort', abort, { once: true });
  if (context.signal.aborted) abort();
  output.once('close', () => {
    context.signal.removeEventListener('abort', abort);
    void helper.remove();
  });
  return output;
}

/** Runs a script in a helper that reads `input`, and waits for its end. */
export async function runWithInput(
  engine: Engine,
  context: StepContext,
  run: HelperRun,
  input: Readable,
): Promise<void> {
  let helper: Helper;
  try {
    helper = await startHelper(engine, context, run, 'ends');
  } catch (error) {
    input.destroy();
    throw error;
  }
  const errors = new Tail();
  const output = new Stdout(errors);
  output.resume();
  try {
    const reading = pipelineDone(helper.stream, output, { end: true }).catch(() => undefined);
    // one that was killed takes nothing in any more, and nobody would say so
    const over = new AbortController();
    let wasAllSent = false;
    void helper.exited.then(async () => {
      await Promise.race([reading, delay(LAST_WORDS_MS)]);
      // then only our side of the connection is still being closed
      wasAllSent = input.readableEnded && helper.stream.writableLength === 0;
      over.abort();
    });
    const signal = AbortSignal.any([context.signal, over.signal]);
    const writing = pipelineDone(input, writableOf(helper.stream), { signal });
    // a script that fails closes its side first: its own words say more than our broken pipe
    const inputError = await writing.then(
      () => undefined,
      (error: unknown) => error,
    );
    if (context.signal.aborted) throw abortedBy(context.signal, run.what);
    if (inputError !== undefined && !over.signal.aborted && !isBrokenPipe(inputError))
      throw LiftlockError.from(inputError);
    // what it does with the last of its input may take long, and says nothing
    await unlessAborted(context.signal, run.what, reading);
    await helper.ended(errors);
    if (inputError !== undefined && !wasAllSent) throw engineError(engine, run.what, inputError);
  } finally {
    helper.stream.destroy();
    await helper.remove();
  }
}

/**
 * Removes helpers that earlier attempts left, running or not: two must never work on the same data.
 * @param also this attempt's own, which may have outlived the connection; default: one that reads does not end another that reads
 */
export async function removeLeftovers(
  engine: Engine,
  context: StepContext,
  containerId: string,
  also?: 'own',
): Promise<void> {
  const listed = await engine.call(
    'looking for left-over helpers',
    context.signal,
    (docker, options) =>
      docker.listContainers({
        all: true,
        filters: filterOf(context, 'helper', containerId),
        ...options,
      }),
  );
  for (const { Id, Labels } of listed) {
    const own =
      Labels[LABELS.step] === context.stepId && Labels[LABELS.token] === String(context.token);
    if (own && also !== 'own') continue;
    await context.guard();
    await removeHelper(engine, Id, context.signal);
  }
}

interface Helper {
  /** Its standard input; its standard output and error, multiplexed. */
  readonly stream: Duplex;
  /** When it has ended, or the engine cannot tell any more. */
  readonly exited: Promise<void>;
  /** What it writes last on either output, when all went well. */
  readonly mark: string;
  /** @throws LiftlockError unless it ended with exit code 0, nothing was lost, and all that it said came. */
  ended(errors: ErrorText): Promise<void>;
  remove(): Promise<void>;
}

async function startHelper(
  engine: Engine,
  context: StepContext,
  asked: HelperRun,
  end: ScriptEnd,
): Promise<Helper> {
  const mark = newMark();
  const run = { ...asked, script: withMark(asked.script, mark, end) };
  await removeLeftovers(engine, context, ofWhat(context, run));
  await context.guard();
  const id = await createHelper(engine, context, run);
  const container = engine.docker.getContainer(id);
  try {
    const stream = await engine.call(run.what, context.signal, async () => {
      const made = await container.attach({
        ...{ stream: true, hijack: true, stdin: true, stdout: true, stderr: true },
      });
      const attached = made as unknown as Duplex;
      // one that nobody listens to would end the process; one that comes too late is nobody's
      attached.on('error', () => undefined);
      if (context.signal.aborted) attached.destroy();
      return attached;
    });
    // asked for before the start: the engine removes it, and with it its exit code, as soon as it has ended
    const code = await engine.nextExit(run.what, id, context.signal);
    let hasExited = false;
    const exited = code().then(
      () => void (hasExited = true),
      () => undefined,
    );
    await context.guard();
    await engine.call(run.what, context.signal, (_docker, options) =>
      container.start({ ...options }),
    );
    return {
      stream,
      exited,
      mark,
      ended: async (errors) => {
        const exitCode = await code();
        if (exitCode === undefined) {
          throw new LiftlockError(
            'target_unreachable',
            `${run.what} failed: its helper was removed before it was seen to end`,
          );
        }
        const said = errors.toString();
        const words = wordsBefore(mark, said);
        if (exitCode !== 0 || LOSS.test(words ?? said)) throw run.failed(exitCode, words ?? said);
        if (words === undefined) throw cutOff('before the end', run.what);
      },
      // what stays all the same is found again as a left-over
      remove: async () => (hasExited ? undefined : removeHelper(engine, id).catch(() => undefined)),
    };
  } catch (error) {
    await removeHelper(engine, id).catch(() => undefined);
    throw error;
  }
}

async function createHelper(engine: Engine, context: StepContext, run: HelperRun): Promise<string> {
  const name = `liftlock-helper-${run.source?.Id.slice(0, 12) ?? 'room'}-${process.hrtime.bigint().toString(36)}`;
  for (let tries = 1; ; tries += 1) {
    const { images } = run;
    const image = await (tries === 1
      ? images.seenLast(engine, context)
      : images.of(engine, context));
    try {
      return await createAbortable(engine, context, name, helperSettings(context, run, image));
    } catch (error) {
      // somebody has removed it since it was seen
      const wasRemoved = error instanceof LiftlockError && error.code === 'image_missing';
      if (!wasRemoved || tries === 3) throw error;
    }
  }
}

/** An engine may make what it was asked for after the asker has gone: then it goes as soon as it is known. */
async function createAbortable(
  engine: Engine,
  context: StepContext,
  name: string,
  settings: object,
): Promise<string> {
  const created = engine.create(name, settings);
  try {
    return await unlessAborted(context.signal, `creating the container ${name}`, created);
  } catch (error) {
    created.then((id) => removeHelper(engine, id)).catch(() => undefined);
    throw error;
  }
}

/** Waits no longer than the signal allows. @param what is being done, for messages */
async function unlessAborted<T>(signal: AbortSignal, what: string, work: Promise<T>): Promise<T> {
  try {
    return await untilAborted(work, signal);
  } catch (error) {
    throw signal.aborted ? abortedBy(signal, what) : error;
  }
}

/** What a helper is marked with: two of one step and of different tokens are never wanted at the same time. */
function ofWhat({ stepId }: StepContext, { source }: HelperRun): string {
  return source?.Id ?? stepId;
}

function helperSettings(context: StepContext, run: HelperRun, image: string): object {
  const { tools, source, volume, script, binds } = run;
  return {
    Image: image,
    Entrypoint: tools.start.sh,
    Cmd: ['-c', script],
    Env: ['LC_ALL=C', 'PATH=/nowhere'],
    WorkingDir: '/',
    User: '0:0',
    Labels: marks(context, 'helper', ofWhat(context, run)),
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    StdinOnce: true,
    NetworkDisabled: true,
    ...(volume === undefined ? {} : { Volumes: { [volume]: {} } }),
    StopTimeout: 0,
    HostConfig: {
      VolumesFrom: source === undefined ? [] : [source.Id],
      // also when we are not there any more to remove it
      AutoRemove: true,
      Binds: binds ?? [],
      NetworkMode: 'none',
      // else the engine would write the data into its log of the helper
      LogConfig: { Type: 'none', Config: {} },
      // what is not on a volume cannot be written by mistake
      ReadonlyRootfs: true,
      // the data's labels are another container's: without this SELinux hosts deny it to the helper
      SecurityOpt: ['label=disable'],
      // the same numbers for owners as the container sees
      UsernsMode: source?.HostConfig.UsernsMode ?? '',
      // trusted.* attributes, which only a privileged container can have set
      CapAdd: source?.HostConfig.Privileged === true ? ['SYS_ADMIN'] : [],
    },
  };
}

/** Until one that is being removed, by whoever used it, has ended it may still run. */
async function removeHelper(engine: Engine, id: string, signal?: AbortSignal): Promise<void> {
  const what = 'removing the helper';
  await removeFromEngine(engine, {
    ...{ id, what, force: true, volumes: true },
    ...(signal === undefined ? {} : { signal }),
  });
}

function writableOf(stream: Duplex): NodeJS.WritableStream {
  return stream;
}

function isBrokenPipe(error: unknown): boolean {
  const { code = '' } = error as { code?: string };
  return ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'].includes(
    code,
  );
}
