import { createHash } from 'node:crypto';
import { LiftlockError } from '#kernel';
import { isObject, type Descriptor } from '../descriptor.js';
import { digestBytes, isDigest, type Digest } from '../digest.js';
import { rawManifest, type RawManifest } from '../manifest.js';
import { MEDIA_TYPES } from '../media-types.js';
import { compressionOf } from './compressed-tar.js';
import {
  readSmall,
  resolveEntry,
  type ArchivedImage,
  type TarEntry,
  type TarFile,
} from './tar-entry.js';

/** What `docker save` wrote before 25: a list of images, each with its configuration and layers as plain tars. */
export interface DockerImages {
  readonly images: readonly ArchivedImage[];
  readonly manifests: ReadonlyMap<Digest, RawManifest>;
  readonly places: ReadonlyMap<Digest, TarEntry>;
}

/**
 * Makes the manifests that such an archive lacks: the layers as they are, uncompressed, under the digests that the configuration has for
 * them. The same archive therefore always has the same digest, and no byte is compressed on the way.
 */
export async function dockerImages(
  tar: TarFile,
  signal: AbortSignal | undefined,
): Promise<DockerImages> {
  const manifests = new Map<Digest, RawManifest>();
  const places = new Map<Digest, TarEntry>();
  const images: ArchivedImage[] = [];
  const listed = await readJson(tar, 'manifest.json', signal);
  if (!Array.isArray(listed)) throw corrupt(tar, 'manifest.json is not a list');
  for (const one of listed as unknown[]) {
    if (!isObject(one) || typeof one['Config'] !== 'string')
      throw corrupt(tar, 'manifest.json names no configuration');
    const config = await content(tar, one['Config'], signal);
    const configDigest = digestBytes(config);
    places.set(configDigest, place(tar, one['Config']));
    const layers: object[] = [];
    const diffIds = diffIdsOf(tar, config);
    for (const [at, name] of strings(one['Layers']).entries()) {
      const entry = place(tar, name);
      const layer = await describeLayer(tar, entry, diffIds[at], signal);
      places.set(layer.digest, entry);
      layers.push(layer);
    }
    const manifest = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: { mediaType: MEDIA_TYPES.ociConfig, digest: configDigest, size: config.byteLength },
      layers,
    };
    const raw = rawManifest(
      Buffer.from(JSON.stringify(manifest)),
      MEDIA_TYPES.ociManifest,
      tar.path,
    );
    manifests.set(raw.digest, raw);
    const descriptor: Descriptor = {
      mediaType: raw.mediaType,
      digest: raw.digest,
      size: raw.bytes.byteLength,
      urls: [],
      annotations: {},
    };
    images.push({ names: strings(one['RepoTags']), descriptor });
  }
  return { images, manifests, places };
}

async function describeLayer(
  tar: TarFile,
  entry: TarEntry,
  diffId: string | undefined,
  signal: AbortSignal | undefined,
): Promise<{ mediaType: string; digest: Digest; size: number }> {
  let head = Buffer.alloc(0);
  for await (const piece of tar.read(entry, 0, signal)) {
    head = Buffer.from(piece.subarray(0, 4));
    break;
  }
  const compression = compressionOf(head);
  if (compression === undefined && diffId !== undefined && isDigest(diffId))
    return { mediaType: MEDIA_TYPES.ociLayer, digest: diffId, size: entry.size };
  // other programs compress the layers: then only the bytes tell their digest
  const hash = createHash('sha256');
  for await (const piece of tar.read(entry, 0, signal)) hash.update(piece);
  const suffix = compression === undefined ? '' : `+${compression}`;
  return {
    mediaType: `${MEDIA_TYPES.ociLayer}${suffix}`,
    digest: `sha256:${hash.digest('hex')}`,
    size: entry.size,
  };
}

function diffIdsOf(tar: TarFile, config: Buffer): string[] {
  try {
    const parsed: unknown = JSON.parse(config.toString('utf8'));
    const rootfs = isObject(parsed) ? parsed['rootfs'] : undefined;
    return isObject(rootfs) ? strings(rootfs['diff_ids']) : [];
  } catch {
    throw corrupt(tar, 'an image configuration is not valid JSON');
  }
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

function place(tar: TarFile, name: string): TarEntry {
  const entry = resolveEntry(tar, name);
  if (entry === undefined) throw corrupt(tar, `it names ${name}, and does not hold it`);
  return entry;
}

function content(tar: TarFile, name: string, signal: AbortSignal | undefined): Promise<Buffer> {
  return readSmall(tar, place(tar, name), `${name} of ${tar.path}`, signal);
}

async function readJson(
  tar: TarFile,
  name: string,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  try {
    return JSON.parse((await content(tar, name, signal)).toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw corrupt(tar, `${name} is not valid JSON`);
    throw error;
  }
}

function corrupt(tar: TarFile, why: string): LiftlockError {
  return new LiftlockError(
    'image_corrupt',
    `${tar.path} is no archive of images that can be read: ${why}`,
  );
}
