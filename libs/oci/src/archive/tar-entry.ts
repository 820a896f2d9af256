import { LiftlockError } from '#kernel';
import type { Descriptor } from '../descriptor.js';
import { MAX_MANIFEST_BYTES } from '../manifest.js';

/** Where a file lies in an archive. */
export interface TarEntry {
  readonly offset: number;
  readonly size: number;
  /** Name of the entry that it is a link to. */
  readonly link?: string;
}

/** A tar archive that is read where it lies. */
export interface TarFile {
  readonly path: string;
  readonly entries: ReadonlyMap<string, TarEntry>;
  read(entry: TarEntry, from: number, signal: AbortSignal | undefined): AsyncIterable<Buffer>;
}

/** An image that an archive has, and the names that it has there. */
export interface ArchivedImage {
  readonly names: readonly string[];
  readonly descriptor: Descriptor;
}

export function unreadable(path: string, error: unknown): LiftlockError {
  const { code, message } = error as NodeJS.ErrnoException;
  const why = code === 'ENOENT' ? 'there is no such file' : (code ?? message);
  return new LiftlockError('image_missing', `the archive ${path} cannot be read: ${why}`, {
    cause: error,
  });
}

export function cutOff(path: string): LiftlockError {
  return new LiftlockError(
    'image_corrupt',
    `the archive ${path} ends in the middle of a file: it was cut off`,
  );
}

export function note(
  entries: Map<string, TarEntry>,
  name: string,
  type: string,
  link: string,
  offset: number,
  size: number,
): void {
  const clean = name.replace(/^(?:\.?\/)+/, '');
  if (type === '0' || type === '7') entries.set(clean, { offset, size });
  // a hard link names an entry, a symbolic one a place beside it
  else if (type === '1')
    entries.set(clean, { offset, size: 0, link: link.replace(/^(?:\.?\/)+/, '') });
  else if (type === '2') entries.set(clean, { offset, size: 0, link: beside(clean, link) });
}

function beside(name: string, link: string): string {
  return new URL(link, `tar:///${name}`).pathname.slice(1);
}

/** Follows links: `docker save` links a layer that two images share. */
export function resolveEntry(tar: TarFile, name: string): TarEntry | undefined {
  let entry = tar.entries.get(name);
  for (let links = 0; entry?.link !== undefined && links < 16; links += 1)
    entry = tar.entries.get(entry.link);
  return entry?.link === undefined ? entry : undefined;
}

export async function readSmall(
  tar: TarFile,
  entry: TarEntry,
  where: string,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  if (entry.size > MAX_MANIFEST_BYTES)
    throw new LiftlockError(
      'image_corrupt',
      `${where} has ${entry.size} bytes, more than a manifest may have`,
    );
  const pieces: Buffer[] = [];
  for await (const piece of tar.read(entry, 0, signal)) pieces.push(piece);
  return Buffer.concat(pieces);
}
