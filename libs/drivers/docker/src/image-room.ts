import { text } from 'node:stream/consumers';
import {
  likelyBytes,
  NoRoom,
  othersInTheWay,
  packedBytes,
  Room,
  SharedLook,
  type LookUpLayers,
  type Needed,
  type PackedLayer,
  type Seat,
  type StepContext,
} from '#drivers/core';
import { call, dataError } from '#drivers/data';
import { LiftlockError, mebibytes } from '#kernel';
import type { Engine } from './engine.js';
import type { HelperImages } from './helper-image.js';
import { runForOutput } from './helper.js';

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

/** An image, or the images of an archive, on the way to an engine. */
export interface Coming {
  /** For messages: `quay.io/app@sha256:…`, `the archive /srv/app.tar`. */
  readonly name: string;
  /** Of each image, the lowest layer first. */
  readonly images: ReadonlyArray<readonly PackedLayer[]>;
  /** Bytes of all files of an archive, which an engine unpacks before it takes the layers from it. */
  readonly archiveBytes?: number;
}

/** Given the platform that the engine runs; undefined where nobody can tell. */
export type LookUpComing = (
  platform: Parameters<LookUpLayers>[0],
) => Promise<Coming | undefined> | undefined;

/**
 * Writes onto an engine what fits onto its disk, together with all else that this process brings there. What is not known stops nothing: the
 * engine itself will tell.
 * @param write is to say how many of the bytes, as they come, the engine has
 * @throws LiftlockError `disk_full` before anything is written, where it cannot fit, however well it is packed
 */
export async function withRoom<T>(
  { engine, context, helpers }: Onto,
  lookUp: LookUpComing,
  write: (told: (bytes: number) => void) => Promise<T>,
): Promise<T> {
  const room = roomOf(engine);
  const seat = room.enter(context.upgrade);
  try {
    const factor = await settle({ engine, context, helpers }, lookUp, seat);
    return await write((bytes) => (seat.written = bytes * factor));
  } finally {
    seat.leave();
    if (room.isEmpty && rooms.get(engine.endpoint) === room) rooms.delete(engine.endpoint);
  }
}

export interface Onto {
  readonly engine: Engine;
  readonly context: StepContext;
  readonly helpers: HelperImages;
}

/** By endpoint: targets of two names may be one engine. */
const rooms = new Map<string, Room>();

function roomOf({ endpoint }: Engine): Room {
  const room = rooms.get(endpoint) ?? new Room();
  rooms.set(endpoint, room);
  return room;
}

/** @returns how many bytes lie on the disk for each that comes, at least */
async function settle(
  { engine, context, helpers }: Onto,
  lookUp: LookUpComing,
  seat: Seat,
): Promise<number> {
  const info = await infoOf(engine, context);
  const coming =
    info === undefined
      ? undefined
      : await lookUp({
          os: info.OSType,
          architecture: GOARCH[info.Architecture] ?? info.Architecture,
        });
  const free =
    coming === undefined || coming.images.flat().length === 0
      ? undefined
      : await lookingAtDisk.at(engine, context.signal, () => lookAtDisk(engine, context, helpers));
  if (coming === undefined || free === undefined) {
    seat.leave();
    return 1;
  }
  // the containerd image store keeps layers packed, too; else a layer lies there packed only until it is unpacked
  const keepsPacked = (info?.DriverStatus ?? []).some(([name]) => name === 'driver-type');
  const factor = keepsPacked ? 2 : 1;
  // that store takes the layers from the archive as it comes
  const passing = keepsPacked ? 0 : (coming.archiveBytes ?? 0);
  const images = coming.images.map((layers) =>
    layers.map(({ diffId, bytes }) => ({ diffId, bytes: bytes * factor })),
  );
  const lookUpImages = (): Promise<ReadonlyArray<readonly string[]>> =>
    lookingAtImages.at(engine, context.signal, () => lookAtImages(engine, context));
  try {
    const found = await seat.settle({ images, passing, free }, lookUpImages, context.signal);
    const guess = (): number =>
      likelyBytes(missingOf(coming, seat), keepsPacked) + passing + found.others;
    // looked for only where it matters: it takes a request for each image
    if (guess() > free) seat.dropWhatIsThere(await lookUpImages());
    if (guess() > free)
      context.log(
        `${countOf(coming, seat)}; unpacked they may take ${mebibytes(guess())} on ${engine.name}, where ${mebibytes(free)} are free`,
        'warn',
      );
  } catch (error) {
    if (error instanceof NoRoom) throw refused(engine, coming, seat, error.found);
    throw error;
  }
  return factor;
}

/** What the engine does not have yet, as far as that was looked for. */
function missingOf({ images }: Coming, { wanted }: Seat): PackedLayer[] {
  return images.flatMap((layers, image) =>
    layers.filter((_, at) => (wanted.images[image]?.[at]?.bytes ?? 0) > 0),
  );
}

function countOf(coming: Coming, seat: Seat): string {
  const missing = missingOf(coming, seat);
  return `${missing.length} of ${coming.images.flat().length} layers of ${coming.name}, which are not there yet, are ${mebibytes(packedBytes(missing))} packed`;
}

function refused({ name }: Engine, coming: Coming, seat: Seat, found: Needed): LiftlockError {
  const isArchive = coming.archiveBytes !== undefined;
  const notes = [
    ...(seat.wanted.passing > 0
      ? [
          `the engine unpacks the archive, ${mebibytes(seat.wanted.passing)}, before it takes the layers from it`,
        ]
      : []),
    ...othersInTheWay(found),
  ];
  const why = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
  return new LiftlockError(
    'disk_full',
    `${countOf(coming, seat)} and need at least ${mebibytes(seat.needs(new Set()))} on ${name}${why}, where ${mebibytes(found.free)} are free: ` +
      `nothing was ${isArchive ? 'loaded' : 'pulled'}; free space on that host (docker system df; docker image prune), and try again`,
    {
      details: {
        target: name,
        image: coming.name,
        freeBytes: found.free,
        neededBytes: found.needed,
      },
    },
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

const lookingAtDisk = new SharedLook<Engine, number | undefined>();
const lookingAtImages = new SharedLook<Engine, ReadonlyArray<readonly string[]>>();

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

/** The layers of each image that the engine has. */
async function lookAtImages(
  engine: Engine,
  context: StepContext,
): Promise<ReadonlyArray<readonly string[]>> {
  const listed = await engine.call(
    'looking which layers are there',
    context.signal,
    (docker, options) => docker.listImages({ ...options }),
  );
  const chains: string[][] = [];
  for (const { Id } of listed)
    chains.push((await engine.inspectImage(Id, context.signal))?.RootFS.Layers ?? []);
  return chains;
}
