import { text } from 'node:stream/consumers';
import type { LookUpLayers, PackedLayer, StepContext } from '#drivers/core';
import { LiftlockError, mebibytes } from '#kernel';
import { dataError } from './data-errors.js';
import { call } from './shell-words.js';
import type { Engine } from './engine.js';
import type { HelperImages } from './helper-image.js';
import { runForOutput } from './helper.js';
import { SharedLook } from './shared-look.js';

/**
 * What a layer takes unpacked, as a multiple of its packed size: what programs and their libraries usually do. Only for a warning, since
 * one that holds packed things takes no more than it has packed.
 */
const UNPACKED = 2.5;
/** A folder of a helper that is a volume, besides its own root: one of the two is where the engine keeps images. */
const VOLUME = '/liftlock-room';

/** As the engine tells of itself (Docker Engine API, `GET /info`). */
interface EngineInfo {
  readonly OSType: string;
  /** As `uname -m` says it. */
  readonly Architecture: string;
  readonly DriverStatus?: ReadonlyArray<readonly [string, string]> | null;
}

/** The architectures whose names in images (GOARCH) are others. */
const GOARCH: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm',
  armv6l: 'arm',
  i686: '386',
};

/**
 * Looks whether what an engine would pull fits onto its disk. What is not known stops nothing: the pull itself will tell.
 * @throws LiftlockError `disk_full` where it cannot fit, however well it is packed
 */
export async function assertRoom(
  engine: Engine,
  context: StepContext,
  helpers: HelperImages,
  { digest, lookUp }: { readonly digest: string; readonly lookUp: LookUpLayers },
): Promise<void> {
  const info = await infoOf(engine, context);
  if (info === undefined) return;
  const all = await lookUp({
    os: info.OSType,
    architecture: GOARCH[info.Architecture] ?? info.Architecture,
  });
  if (all === undefined || all.length === 0) return;
  const free = await looking.at(engine, context.signal, () => lookAtDisk(engine, context, helpers));
  if (free === undefined) return;
  // the containerd image store keeps layers packed, too; else a layer lies there packed only until it is unpacked
  const keepsPacked = (info.DriverStatus ?? []).some(([name]) => name === 'driver-type');
  // looked for only where it matters: it takes a request for each image
  const layers = likely(all, keepsPacked) > free ? await withoutThose(engine, context, all) : all;
  const least = packed(layers) * (keepsPacked ? 2 : 1);
  const count = `${layers.length} of ${all.length} layers of ${digest}, which are not there yet, are ${mebibytes(packed(layers))} packed`;
  if (least > free)
    throw new LiftlockError(
      'disk_full',
      `${count} and need at least ${mebibytes(least)} on ${engine.name}, where ${mebibytes(free)} are free: nothing was pulled; ` +
        'free space on that host (docker system df; docker image prune), and try again',
      { details: { target: engine.name, digest, freeBytes: free, neededBytes: least } },
    );
  const guess = likely(layers, keepsPacked);
  if (guess > free)
    context.log(
      `${count}; unpacked they may take ${mebibytes(guess)} on ${engine.name}, where ${mebibytes(free)} are free`,
      'warn',
    );
}

/** @returns undefined where it does not tell: what stands before an engine may forbid the question */
async function infoOf(engine: Engine, context: StepContext): Promise<EngineInfo | undefined> {
  try {
    return (await engine.call(
      'asking what it runs on',
      context.signal,
      (docker) => docker.info() as Promise<unknown>,
    )) as EngineInfo;
  } catch (error) {
    const { code, message } = LiftlockError.from(error);
    if (context.signal.aborted || code === 'target_unreachable') throw error;
    context.log(`what is free on ${engine.name} is not known: ${message}`, 'warn');
    return undefined;
  }
}

const looking = new SharedLook<Engine, number | undefined>();

/**
 * No call of the engine says what is free where it keeps images: a container sees it, whose own files lie there.
 * @returns undefined where that cannot be found out
 */
async function lookAtDisk(
  engine: Engine,
  context: StepContext,
  helpers: HelperImages,
): Promise<number | undefined> {
  const what = 'looking what is free';
  try {
    const tools = await helpers.collected();
    const output = await runForOutput(engine, context, {
      ...{ images: helpers, tools, what, volume: VOLUME },
      // blocks that are free for everybody, and their size (stat(1), --file-system)
      script: `${call(tools, 'stat')} -f -c '%a %S' / ${VOLUME}`,
      failed: dataError(what, 'read'),
    });
    const lines = (await text(output)).trim().split('\n');
    // a quota for containers makes their root seem smaller than the disk
    const free = Math.max(
      ...lines.map((line) => {
        const [blocks, size] = line.split(' ');
        return Number(blocks) * Number(size);
      }),
    );
    return Number.isFinite(free) ? free : undefined;
  } catch (error) {
    const { code, message } = LiftlockError.from(error);
    if (context.signal.aborted || code === 'fenced' || code === 'disk_full') throw error;
    context.log(`what is free on ${engine.name} is not known: ${message}`, 'warn');
    return undefined;
  }
}

/** Without the layers that the engine has: the first ones of an image that are the first ones of another, since each lies upon those below it. */
async function withoutThose(
  engine: Engine,
  context: StepContext,
  layers: readonly PackedLayer[],
): Promise<readonly PackedLayer[]> {
  const listed = await engine.call(
    'looking which layers are there',
    context.signal,
    (docker, options) => docker.listImages({ ...options }),
  );
  let most = 0;
  for (const { Id } of listed) {
    const theirs = (await engine.inspectImage(Id, context.signal))?.RootFS.Layers ?? [];
    let same = 0;
    while (same < layers.length && same < theirs.length && theirs[same] === layers[same]?.diffId)
      same += 1;
    most = Math.max(most, same);
  }
  return layers.slice(most);
}

function packed(layers: readonly PackedLayer[]): number {
  return layers.reduce((sum, { bytes }) => sum + bytes, 0);
}

function likely(layers: readonly PackedLayer[], keepsPacked: boolean): number {
  const unpacked = layers.reduce(
    (sum, { bytes, isCompressed }) => sum + bytes * (isCompressed ? UNPACKED : 1),
    0,
  );
  return unpacked + (keepsPacked ? packed(layers) : 0);
}
