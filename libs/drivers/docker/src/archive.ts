import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { pipeline as pipelineTo, type Readable, type Transform } from 'node:stream';
import { callbackify } from 'node:util';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import { z } from 'zod';
import type { PackedLayer } from '#drivers/core';
import { LiftlockError } from '#kernel';

/** Largest `manifest.json` that is read, in bytes. */
const LIMIT = 4 * 1024 * 1024;
/** Largest configuration, and of all that may be one: they have no names of their own. Without it, layers are taken for new ones. */
const CONFIG_LIMIT = 1024 * 1024;
const LIMIT_OF_ALL = 32 * 1024 * 1024;
/** Where `docker save` puts an image's configuration: `<hex>.json` before Docker 25. */
const CONFIG = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/;

const manifest = z.array(
  z.object({
    Config: z.string(),
    RepoTags: z.array(z.string()).nullish(),
    Layers: z.array(z.string()).nullish(),
  }),
);
type Manifest = z.infer<typeof manifest>;
/** The part of an image's configuration that is needed here (image specification, "Image Configuration"). */
const imageConfig = z.object({ rootfs: z.object({ diff_ids: z.array(z.string()) }) });

/** An image in a `docker save` tar. */
export interface HeldImage {
  /** Digest of its configuration, which is its ID; undefined where `manifest.json` does not name it by one. */
  readonly id: string | undefined;
  /** Names that it gets by a load. */
  readonly names: readonly string[];
  /** The lowest first. */
  readonly layers: readonly PackedLayer[];
}

export interface ArchiveContents {
  readonly path: string;
  readonly images: readonly HeldImage[];
  /** Of all files in the tar. */
  readonly bytes: number;
}

/**
 * What is in a `docker save` tar (plain, gzip or zstd), without loading or unpacking it: `manifest.json` names the configurations as
 * `<hex>.json` (engines before 25) or `blobs/sha256/<hex>`.
 * @throws LiftlockError `image_missing` saying what is wrong with the file.
 */
export async function readArchive(path: string, signal?: AbortSignal): Promise<ArchiveContents> {
  const files = await readFiles(path, signal);
  return {
    path,
    bytes: [...files.values()].reduce((sum, { bytes }) => sum + bytes, 0),
    images: manifestIn(path, files).map(({ Config, RepoTags, Layers }) => {
      const diffIds = diffIdsIn(files.get(Config)?.content);
      return {
        id: idIn(Config),
        names: RepoTags ?? [],
        layers: (Layers ?? []).map((name, at) => {
          const { bytes, isCompressed } = fileAt(files, name) ?? { bytes: 0, isCompressed: false };
          const diffId = diffIds.length === Layers?.length ? diffIds[at] : undefined;
          return { bytes, isCompressed, diffId };
        }),
      };
    }),
  };
}

/** ID of the image that a reference means. @throws LiftlockError `image_missing` */
export function archivedId({ path, images }: ArchiveContents, reference: string): string {
  const tagged = images.filter(({ names }) => names.includes(withTag(reference)));
  const chosen = tagged.length > 0 ? tagged : images;
  if (chosen.length !== 1) {
    const tags = images.flatMap(({ names }) => names).join(', ');
    throw unusable(path, `it holds ${images.length} images (${tags}), none of them ${reference}`);
  }
  const id = chosen[0]?.id;
  if (id === undefined) throw unusable(path, 'its manifest.json names no configuration by digest');
  return id;
}

/** Each name that a load of the archive gives, with the ID of the image that gets it. */
export function archivedNames({
  images,
}: ArchiveContents): Array<{ name: string; imageId: string }> {
  return images.flatMap(({ names, id = '' }) => names.map((name) => ({ name, imageId: id })));
}

function idIn(config: string): string | undefined {
  const hex = CONFIG.exec(config)?.[1];
  return hex === undefined ? undefined : `sha256:${hex}`;
}

function diffIdsIn(config: Buffer | undefined): readonly string[] {
  const parsed = imageConfig.safeParse(config === undefined ? undefined : parseJson(config));
  return parsed.success ? parsed.data.rootfs.diff_ids : [];
}

/** A file of the tar. */
interface HeldFile {
  readonly bytes: number;
  readonly isCompressed: boolean;
  /** Of a link: where it leads, from the tar's root. */
  readonly link: string | undefined;
  /** Of what may be a manifest or a configuration. */
  readonly content: Buffer | undefined;
}

type Files = ReadonlyMap<string, HeldFile>;

/** A layer that two images have is a link in the second one's folder (engines before 25). */
function fileAt(files: Files, name: string): HeldFile | undefined {
  const file = files.get(name);
  return file?.link === undefined ? file : files.get(file.link);
}

function manifestIn(path: string, files: Files): Manifest {
  const found = files.get('manifest.json')?.content;
  if (found === undefined)
    throw unusable(path, 'it has no manifest.json: make it with docker save');
  const parsed = manifest.safeParse(parseJson(found));
  if (!parsed.success) throw unusable(path, 'its manifest.json is not as docker save writes it');
  return parsed.data;
}

async function readFiles(path: string, signal: AbortSignal | undefined): Promise<Files> {
  const files = new Map<string, HeldFile>();
  let kept = 0;
  const unpack = extract();
  unpack.on('entry', ({ name, size, type, linkname }, stream, next) => {
    // of an archive that is cut: an error that nobody listens to would end the process; the pipeline tells it, too
    stream.on('error', () => undefined);
    const link =
      type === 'symlink'
        ? join(dirname(name), linkname ?? '')
        : type === 'link'
          ? linkname
          : undefined;
    const isManifest = name === 'manifest.json' && size <= LIMIT;
    const mayBeConfig = CONFIG.test(name) && size <= CONFIG_LIMIT && kept + size <= LIMIT_OF_ALL;
    if (!isManifest && !mayBeConfig) {
      let isCompressed = false;
      stream.once('data', (head) => (isCompressed = compressionIn(head as Buffer) !== undefined));
      stream.on('end', () => {
        files.set(name, { bytes: size, isCompressed, link: link ?? undefined, content: undefined });
        next();
      });
      stream.resume();
      return;
    }
    kept += size;
    const keep = async (): Promise<void> => {
      const content = await buffer(stream);
      const isCompressed = compressionIn(content) !== undefined;
      files.set(name, { bytes: size, isCompressed, link: undefined, content });
    };
    callbackify(keep)((error) => next(error));
  });
  try {
    await pipeline(await openArchive(path), unpack, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw unusable(path, error instanceof Error ? error.message : String(error));
  }
  return files;
}

function parseJson(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The tar inside: not every engine loads every compression. An error of any part is the stream's. */
export async function openArchive(path: string): Promise<Readable> {
  const compression = await compressionOf(path);
  const file = createReadStream(path);
  const tar = compression === undefined ? file : compression();
  // the callback only keeps an error from being nobody's: the reader of `tar` gets it, too
  if (tar !== file) pipelineTo(file, tar as Transform, () => undefined);
  return tar;
}

async function compressionOf(path: string): Promise<(() => Transform) | undefined> {
  const file = await open(path);
  try {
    const { buffer: head } = await file.read({ buffer: Buffer.alloc(4), position: 0 });
    return compressionIn(head);
  } finally {
    await file.close();
  }
}

function compressionIn(head: Buffer): (() => Transform) | undefined {
  if (head.length < 4) return undefined;
  if (head.readUInt16BE(0) === 0x1f8b) return createGunzip;
  return head.readUInt32LE(0) === 0xfd2fb528 ? createZstdDecompress : undefined;
}

/** `name` is short for `name:latest`. */
function withTag(reference: string): string {
  const last = reference.slice(reference.lastIndexOf('/') + 1);
  return last.includes(':') || last.includes('@') ? reference : `${reference}:latest`;
}

function unusable(path: string, why: string): LiftlockError {
  return new LiftlockError('image_missing', `the image archive ${path} is of no use: ${why}`, {
    details: { archive: path },
  });
}
