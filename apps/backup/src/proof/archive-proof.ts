import { Transform } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import type { DataEntry } from '#drivers/core';
import { LiftlockError, untilAborted } from '#kernel';
import { differences } from '../domain/differences.js';
import type { Pieces } from '../repository/store.js';
import { tarEntries, type ArchivedEntry } from './tar-entries.js';

/** How much of an archive is taken out of it and compared, besides its hash. */
export interface ProofBounds {
  readonly files: number;
  /** Of content. */
  readonly bytes: number;
  /** Of the archive, unpacked: behind these it is only hashed. */
  readonly unpacked: number;
}

/** What is smaller is compared whole. */
export const BOUNDS: ProofBounds = {
  files: 2_000,
  bytes: 64 * 1024 * 1024,
  unpacked: 256 * 1024 * 1024,
};

/** What an archive is to hold. */
export interface Listed {
  readonly format: string;
  /** Waited for when the archive was read: of one that is being made they are known by then. */
  readonly entries: readonly DataEntry[] | Promise<readonly DataEntry[]>;
}

export interface Proof {
  /** Entries that were compared, by all that the archive says of them. */
  readonly entries: number;
  /** Files whose content was compared, and the bytes in them. */
  readonly files: number;
  readonly bytes: number;
  /** Whether that was all there is. */
  readonly whole: boolean;
}

/** Bytes that are unpacked together: in the library's own pieces of 16 KiB it takes more than twice the time. */
const PIECE = 1024 * 1024;

/** How archives that we can take apart by ourselves are unpacked; of others the hash is compared. */
const UNPACK: Readonly<Record<string, () => Unpack>> = {
  'tar.zst': () => createZstdDecompress({ chunkSize: PIECE }),
  // what has passed may still be held when its memory has the next piece
  tar: () =>
    new Transform({
      highWaterMark: PIECE,
      transform: (piece, _encoding, done) => done(null, Buffer.from(piece)),
    }),
};

/**
 * Reads an archive to its end, and takes out of it what the bounds allow, the first entries first: each must be as it was listed. Nothing
 * of it is written anywhere: in plain text it lies nowhere, no room is needed, and no file system that keeps less can be blamed on it.
 * @param archive ends with an error unless it is what was written, byte for byte
 * @throws LiftlockError `data_corrupt`, naming the first entries that differ
 */
export async function proveArchive(
  archive: Pieces,
  { format, entries }: Listed,
  signal: AbortSignal,
  bounds: ProofBounds = BOUNDS,
): Promise<Proof> {
  const unpack = UNPACK[format];
  if (unpack === undefined) {
    for await (const _chunk of archive) {
      // what counts is how it ends
    }
    return { entries: 0, files: 0, bytes: 0, whole: false };
  }
  const sample = new Sample(bounds, Array.isArray(entries) ? entries.length : Infinity);
  await eachEntry(archive, unpack(), signal, (_path, size) => sample.takes(size), sample);
  return new Comparison(await entries).of(sample);
}

/**
 * Every entry that an archive holds, with the hash of each file's content.
 * @param archive ends with an error unless it is what was written, byte for byte
 * @param format of the archive
 * @throws LiftlockError `data_corrupt`; `misconfigured` for a format that is not known
 */
export async function entriesOf(
  archive: Pieces,
  signal: AbortSignal,
  format: string,
): Promise<DataEntry[]> {
  const unpack = UNPACK[format];
  if (unpack === undefined)
    throw new LiftlockError(
      'misconfigured',
      `nobody can tell what is in an archive of the format ${format}`,
    );
  const all: ArchivedEntry[] = [];
  await eachEntry(archive, unpack(), signal, () => true, {
    isEnough: () => false,
    add: (entry) => void all.push(entry),
  });
  const first = new Map<string, string>();
  const byPath = new Map(all.map((entry) => [entry.path, entry]));
  return all
    .map(({ linkTo, ...entry }) => ({
      // a further name has nothing of its own
      entry: {
        ...(linkTo === undefined ? entry : (byPath.get(linkTo) ?? entry)),
        path: entry.path,
      },
      root: linkTo ?? entry.path,
    }))
    .sort((a, b) => (a.entry.path < b.entry.path ? -1 : 1))
    .map(({ entry, root }): DataEntry => {
      if (entry.type !== 'file') return entry;
      const other = first.get(root);
      if (other === undefined) first.set(root, entry.path);
      return {
        ...entry,
        ...(other === undefined ? {} : { sameFileAs: other }),
      };
    });
}

type Unpack = Transform;

interface Taker {
  /** Nothing more is wanted. */
  isEnough(unpacked: number): boolean;
  add(entry: ArchivedEntry): void;
}

/** All of the archive passes; it is unpacked only as long as anything of it is wanted. */
async function eachEntry(
  archive: Pieces,
  unpack: Unpack,
  signal: AbortSignal,
  hashes: (path: string, size: number) => boolean,
  taker: Taker,
): Promise<void> {
  // an error is whoever's who takes from it
  unpack.on('error', () => undefined);
  const taking = take(unpack, hashes, taker);
  // seen below, and by then it is somebody's
  taking.catch(() => undefined);
  try {
    for await (const piece of archive) if (!unpack.destroyed) await written(unpack, piece, signal);
    // what was taken may have been enough
    if (!unpack.destroyed) unpack.end();
    await taking;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LiftlockError) throw error;
    // the library's own: it is no archive
    throw new LiftlockError('data_corrupt', `the archive cannot be unpacked: ${String(error)}`, {
      cause: error,
    });
  } finally {
    unpack.destroy();
  }
}

/** Until the piece is not needed any more, or nothing more is wanted. */
async function written(unpack: Unpack, piece: Buffer, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => resolve();
  unpack.once('close', done);
  unpack.write(piece, done);
  try {
    await untilAborted(promise, signal);
  } finally {
    unpack.off('close', done);
  }
}

async function take(
  unpack: Unpack,
  hashes: (path: string, size: number) => boolean,
  taker: Taker,
): Promise<void> {
  let unpacked = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of unpack as AsyncIterable<Buffer>) {
      unpacked += chunk.length;
      yield chunk;
    }
  };
  try {
    for await (const entry of tarEntries(counted(), hashes)) {
      taker.add(entry);
      if (taker.isEnough(unpacked)) return;
    }
  } finally {
    // what is behind the end, and what is not wanted any more
    unpack.destroy();
  }
}

/** The entries of an archive that the bounds allow, and the hashes of so many of their contents. */
class Sample implements Taker {
  readonly found: ArchivedEntry[] = [];
  files = 0;
  bytes = 0;
  /** There may be more. */
  wasCut = false;

  /** @param most entries that there are, as far as is known */
  constructor(
    private readonly bounds: ProofBounds,
    private readonly most: number,
  ) {}

  takes(size: number): boolean {
    if (this.files >= this.bounds.files || this.bytes + size > this.bounds.bytes) return false;
    this.files += 1;
    this.bytes += size;
    return true;
  }

  isEnough(unpacked: number): boolean {
    const isFull = this.files >= this.bounds.files || unpacked >= this.bounds.unpacked;
    this.wasCut ||= isFull && this.found.length < this.most;
    return this.wasCut;
  }

  add(found: ArchivedEntry): void {
    this.found.push(found);
  }
}

/** What was found in an archive, beside what was listed. */
class Comparison {
  private readonly wanted: ReadonlyMap<string, DataEntry>;
  private readonly wrong: string[] = [];
  private readonly roots = new Set<string>();

  constructor(listed: readonly DataEntry[]) {
    this.wanted = new Map(listed.map((entry) => [entry.path, entry]));
  }

  /** @throws LiftlockError `data_corrupt`, naming the first entries that differ */
  of({ found, files, bytes, wasCut }: Sample): Proof {
    const { wanted, wrong } = this;
    for (const entry of found) this.compare(entry);
    const missing = wanted.size - found.length;
    if (wrong.length === 0 && !wasCut && missing > 0)
      wrong.push(`${missing} of ${wanted.size} entries are not in it`);
    if (wrong.length > 0) {
      throw new LiftlockError(
        'data_corrupt',
        `the archive, read back, is not what the manifest says: ${wrong.slice(0, 5).join('; ')}`,
      );
    }
    const regular = [...wanted.values()].filter(
      ({ type, sameFileAs }) => type === 'file' && sameFileAs === undefined,
    );
    return { entries: found.length, files, bytes, whole: !wasCut && files >= regular.length };
  }

  private compare(found: ArchivedEntry): void {
    const wanted = this.wanted.get(found.path);
    if (wanted === undefined) this.wrong.push(`${found.path} should not be there`);
    else if (found.linkTo !== undefined) this.compareName(found.path, found.linkTo);
    else {
      if (found.type === 'file') this.countFile(found.path);
      this.wrong.push(...differences([wanted], [this.comparable(found, wanted)]));
    }
  }

  /** A name alone: what it is of is compared there. */
  private compareName(path: string, linkTo: string): void {
    if (this.rootOf(path) !== this.rootOf(linkTo))
      this.wrong.push(`${path} is another name of ${linkTo}`);
  }

  /** Of several names, whichever comes first in the archive has the file. */
  private countFile(path: string): void {
    const root = this.rootOf(path);
    if (this.roots.has(root)) this.wrong.push(`${path} is a file of its own, and not ${root}`);
    this.roots.add(root);
  }

  /** What an archive says otherwise, or not at all, is as it is wanted. */
  private comparable(found: ArchivedEntry, wanted: DataEntry): DataEntry {
    return {
      ...wanted,
      ...found,
      sha256: found.sha256 ?? wanted.sha256,
      // times before 1970 are written in more than one way
      mtime: wanted.mtime.startsWith('-') ? wanted.mtime : found.mtime,
      ...this.attributesOf(found, wanted),
    };
  }

  /** Access lists stand elsewhere, in words. */
  private attributesOf(
    { attributes: found = {} }: DataEntry,
    { attributes: wanted }: DataEntry,
  ): Pick<DataEntry, 'attributes'> {
    if (wanted === undefined) return {};
    const attributes: Record<string, string> = {};
    for (const [name, value] of Object.entries(wanted)) {
      const archived = name.startsWith('system.') ? value : found[name];
      if (archived !== undefined) attributes[name] = archived;
    }
    return { attributes };
  }

  private rootOf(path: string): string {
    return this.wanted.get(path)?.sameFileAs ?? path;
  }
}
