import { LiftlockError } from '#kernel';
import type { ImageSource } from '../copy/image-source.js';
import { isObject, parseDescriptor, type Descriptor } from '../descriptor.js';
import { algorithmOf, hexOf, isDigest, type Digest } from '../digest.js';
import { parseManifest, rawManifest, type RawManifest } from '../manifest.js';
import { isManifestType } from '../media-types.js';
import { referrersTag } from '../registry/referrers.js';
import { dockerImages } from './docker-archive.js';
import {
  readSmall,
  resolveEntry,
  type ArchivedImage,
  type TarEntry,
  type TarFile,
} from './tar-entry.js';
import { openTar } from './tar-file.js';

const REF_NAME = 'org.opencontainers.image.ref.name';
/** What containerd, and `docker save` since 25, write the whole reference to. */
const CONTAINERD_NAME = 'io.containerd.image.name';

/** Tags that stand for what refers to an image. */
const OF_ANOTHER = /(?:^|:)sha(?:256|512)-[0-9a-f]{64,128}(?:\.\w+)?$/;

/**
 * An archive as a source: an image layout in a tar (`oci-archive`, `docker save` since 25), or what `docker save` wrote before, plain or
 * compressed. Blobs are read where they lie.
 */
export class ArchiveSource implements ImageSource {
  private constructor(
    private readonly tar: TarFile,
    readonly images: readonly ArchivedImage[],
    /** Manifests that the archive does not hold as such: those of `docker save` before 25. */
    private readonly made: ReadonlyMap<Digest, RawManifest>,
    /** Where blobs lie that are not at the image layout's places. */
    private readonly places: ReadonlyMap<Digest, TarEntry>,
  ) {}

  static async open(path: string, signal?: AbortSignal): Promise<ArchiveSource> {
    const tar = await openTar(path, signal);
    if (tar.entries.has('index.json'))
      return new ArchiveSource(tar, await layoutImages(tar, signal), new Map(), new Map());
    if (tar.entries.has('manifest.json')) {
      const { images, manifests, places } = await dockerImages(tar, signal);
      return new ArchiveSource(tar, images, manifests, places);
    }
    throw new LiftlockError(
      'image_corrupt',
      `${path} holds no image: neither index.json (oci-archive, docker save) nor manifest.json (docker save before 25) is in it`,
    );
  }

  get name(): string {
    return this.tar.path;
  }

  async manifest(target: string | undefined, signal?: AbortSignal): Promise<RawManifest> {
    if (target !== undefined && isDigest(target)) return this.byDigest(target, undefined, signal);
    const found =
      target === undefined
        ? await this.ownImages(signal)
        : this.images.filter(({ names }) => names.some((name) => isNamed(name, target)));
    const digests = new Set(found.map(({ descriptor }) => descriptor.digest));
    const [image] = found;
    if (image !== undefined && digests.size === 1)
      return this.byDigest(image.descriptor.digest, image.descriptor.mediaType, signal);
    const all = this.images
      .map(({ names, descriptor }) => names[0] ?? descriptor.digest)
      .join(', ');
    throw new LiftlockError(
      'image_missing',
      target === undefined
        ? `${this.name} holds ${digests.size === 0 ? 'no image' : `several images: say which one (${all})`}`
        : `${this.name} holds ${found.length === 0 ? 'no' : 'several'} ${target}: it has ${all === '' ? 'no image' : all}`,
    );
  }

  /** Those that refer to no other one of the archive: signatures and SBOMs come along with their image. */
  private async ownImages(signal: AbortSignal | undefined): Promise<readonly ArchivedImage[]> {
    if (this.images.length < 2) return this.images;
    const digests = new Set(this.images.map(({ descriptor }) => descriptor.digest));
    const own: ArchivedImage[] = [];
    for (const one of this.images) {
      const { digest, mediaType } = one.descriptor;
      if (one.names.some((name) => OF_ANOTHER.test(name))) continue;
      const raw = isManifestType(mediaType)
        ? await this.byDigest(digest, mediaType, signal)
        : undefined;
      const subject =
        raw === undefined ? undefined : parseManifest(raw, `${this.name}@${digest}`).subject;
      if (subject === undefined || !digests.has(subject.digest)) own.push(one);
    }
    return own;
  }

  async tagged(tag: string, signal?: AbortSignal): Promise<RawManifest | undefined> {
    const found = this.images.find(({ names }) => names.some((name) => isNamed(name, tag)));
    return found === undefined
      ? undefined
      : this.byDigest(found.descriptor.digest, found.descriptor.mediaType, signal);
  }

  /** Those that the layout's index names beside the images, and those of the tag that stands in for the API. */
  async referrers(digest: Digest, signal?: AbortSignal): Promise<readonly Descriptor[]> {
    const found: Descriptor[] = [];
    for (const { descriptor } of this.images) {
      if (descriptor.digest === digest || !isManifestType(descriptor.mediaType)) continue;
      const raw = await this.byDigest(descriptor.digest, descriptor.mediaType, signal);
      const { subject, artifactType, annotations } = parseManifest(
        raw,
        `${this.name}@${raw.digest}`,
      );
      if (subject?.digest === digest)
        found.push({
          ...descriptor,
          annotations,
          ...(artifactType === undefined ? {} : { artifactType }),
        });
    }
    const listed = await this.tagged(referrersTag(digest), signal);
    const index = listed === undefined ? undefined : parseManifest(listed, this.name);
    return [...found, ...(index?.kind === 'index' ? index.manifests : [])];
  }

  async *read(
    blob: Pick<Descriptor, 'digest' | 'size'>,
    { offset = 0, signal }: { readonly offset?: number; readonly signal?: AbortSignal | undefined },
  ): AsyncGenerator<Buffer, void, undefined> {
    yield* this.tar.read(this.place(blob.digest), offset, signal);
  }

  private async byDigest(
    digest: Digest,
    mediaType: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<RawManifest> {
    const made = this.made.get(digest);
    if (made !== undefined) return made;
    const where = `${this.name}@${digest}`;
    const raw = rawManifest(
      await readSmall(this.tar, this.place(digest), where, signal),
      mediaType,
      where,
      algorithmOf(digest),
    );
    if (raw.digest !== digest)
      throw new LiftlockError('image_corrupt', `${where} is corrupt: its digest is ${raw.digest}`, {
        details: { expected: digest, found: raw.digest },
      });
    return raw;
  }

  private place(digest: Digest): TarEntry {
    const entry =
      this.places.get(digest) ??
      resolveEntry(this.tar, `blobs/${algorithmOf(digest)}/${hexOf(digest)}`);
    if (entry === undefined)
      throw new LiftlockError(
        'image_missing',
        `${this.name} does not hold ${digest}: it was written for some platforms only, or is damaged`,
      );
    return entry;
  }
}

/** `app:1.0` is meant by itself, by its tag, and by the whole reference that ends so. */
function isNamed(name: string, wanted: string): boolean {
  return (
    name === wanted ||
    name.endsWith(`/${wanted}`) ||
    (name.endsWith(`:${wanted}`) && !wanted.includes('/'))
  );
}

async function layoutImages(
  tar: TarFile,
  signal: AbortSignal | undefined,
): Promise<ArchivedImage[]> {
  const entry = resolveEntry(tar, 'index.json');
  const where = `index.json of ${tar.path}`;
  const bytes = entry === undefined ? Buffer.alloc(0) : await readSmall(tar, entry, where, signal);
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new LiftlockError('image_corrupt', `${where} is not valid JSON`, { cause: error });
  }
  const listed = isObject(parsed) && Array.isArray(parsed['manifests']) ? parsed['manifests'] : [];
  return listed.map((one: unknown, at) => {
    const descriptor = parseDescriptor(one, `manifests[${at}] of ${where}`);
    const names = [descriptor.annotations[CONTAINERD_NAME], descriptor.annotations[REF_NAME]];
    return { descriptor, names: names.filter((name) => name !== undefined) };
  });
}
