import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { pipeline as pipelineTo, type Readable, type Transform } from 'node:stream';
import { callbackify } from 'node:util';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import { z } from 'zod';
import { LiftlockError } from '#kernel';

/** Largest `manifest.json` that is read, in bytes. */
const LIMIT = 4 * 1024 * 1024;

const manifest = z.array(z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullish() }));
type Manifest = z.infer<typeof manifest>;

/**
 * ID of the image in a `docker save` tar (plain, gzip or zstd), without loading or unpacking it: the digest of its
 * configuration, which `manifest.json` names as `<hex>.json` (engines before 25) or `blobs/sha256/<hex>`.
 * @throws LiftlockError `image_missing` saying what is wrong with the file.
 */
export async function archiveImageId(
  path: string,
  reference: string,
  signal?: AbortSignal,
): Promise<string> {
  const images = await readManifest(path, signal);
  const tagged = images.filter(({ RepoTags }) => (RepoTags ?? []).includes(withTag(reference)));
  const chosen = tagged.length > 0 ? tagged : images;
  if (chosen.length !== 1) {
    const tags = images.flatMap(({ RepoTags }) => RepoTags ?? []).join(', ');
    throw unusable(path, `it holds ${images.length} images (${tags}), none of them ${reference}`);
  }
  const id = idIn(chosen[0]?.Config ?? '');
  if (id === undefined) throw unusable(path, 'its manifest.json names no configuration by digest');
  return id;
}

function idIn(config: string): string | undefined {
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(config)?.[1];
  return hex === undefined ? undefined : `sha256:${hex}`;
}

/** Each name that a load of the archive gives, with the ID of the image that gets it. */
export async function archiveNames(
  path: string,
  signal?: AbortSignal,
): Promise<Array<{ name: string; imageId: string }>> {
  const images = await readManifest(path, signal);
  return images.flatMap(({ Config, RepoTags }) =>
    (RepoTags ?? []).map((name) => ({ name, imageId: idIn(Config) ?? '' })),
  );
}

async function readManifest(path: string, signal?: AbortSignal): Promise<Manifest> {
  let found: string | undefined;
  const unpack = extract();
  unpack.on('entry', (header, stream, next) => {
    // of an archive that is cut: an error that nobody listens to would end the process; the pipeline tells it, too
    stream.on('error', () => undefined);
    if (header.name !== 'manifest.json' || (header.size ?? 0) > LIMIT) {
      stream.on('end', next).resume();
      return;
    }
    const keep = async (): Promise<void> => {
      found = await text(stream);
    };
    callbackify(keep)((error) => next(error));
  });
  try {
    await pipeline(await openArchive(path), unpack, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw unusable(path, error instanceof Error ? error.message : String(error));
  }
  if (found === undefined)
    throw unusable(path, 'it has no manifest.json: make it with docker save');
  const parsed = manifest.safeParse(parseJson(found));
  if (!parsed.success) throw unusable(path, 'its manifest.json is not as docker save writes it');
  return parsed.data;
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
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
    const { buffer } = await file.read({ buffer: Buffer.alloc(4), position: 0 });
    if (buffer.readUInt16BE(0) === 0x1f8b) return createGunzip;
    if (buffer.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress;
    return undefined;
  } finally {
    await file.close();
  }
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
