import { randomBytes } from 'node:crypto';
import {
  digestBytes,
  MEDIA_TYPES,
  type Descriptor,
  type Digest,
  type RawManifest,
  type Repository,
} from '#oci';
import { rawManifest } from '../../src/manifest.js';
import { writeBlob } from '../../src/registry/blob-writer.js';

export interface Content {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

/** An image (or an index of images) with all that belongs to it, in memory. */
export interface TestImage {
  readonly manifest: RawManifest;
  readonly descriptor: Descriptor;
  /** Config and layers, those of the images of an index, too. */
  readonly blobs: readonly Content[];
  /** Of an index, in the order in which they must be pushed. */
  readonly manifests: readonly RawManifest[];
}

export function content(
  bytes: Buffer,
  mediaType: string,
  algorithm: 'sha256' | 'sha512' = 'sha256',
): Content {
  const digest = digestBytes(bytes, algorithm);
  return {
    bytes,
    descriptor: { mediaType, digest, size: bytes.byteLength, urls: [], annotations: {} },
  };
}

export function layer(size: number, algorithm?: 'sha256' | 'sha512'): Content {
  return content(randomBytes(size), `${MEDIA_TYPES.ociLayer}+gzip`, algorithm);
}

export function plain({ mediaType, digest, size }: Descriptor): object {
  return { mediaType, digest, size };
}

export function manifestOf(
  value: object,
  mediaType: string = MEDIA_TYPES.ociManifest,
): RawManifest {
  // with blanks, so that whoever writes it anew is found out
  return rawManifest(Buffer.from(JSON.stringify(value, undefined, 3)), mediaType, 'a test');
}

export interface ImageOptions {
  readonly layers?: readonly Content[];
  readonly architecture?: string;
  readonly more?: object;
  readonly algorithm?: 'sha256' | 'sha512';
}

export function image(options: ImageOptions = {}): TestImage {
  const layers = options.layers ?? [layer(1_000), layer(70_000)];
  const config = content(
    Buffer.from(
      JSON.stringify({
        architecture: options.architecture ?? 'amd64',
        os: 'linux',
        created: randomBytes(4).toString('hex'),
        rootfs: { type: 'layers', diff_ids: layers.map(({ descriptor }) => descriptor.digest) },
      }),
    ),
    MEDIA_TYPES.ociConfig,
    options.algorithm,
  );
  const manifest = manifestOf({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: plain(config.descriptor),
    layers: layers.map(({ descriptor }) => plain(descriptor)),
    ...options.more,
  });
  return { manifest, descriptor: describe(manifest), blobs: [config, ...layers], manifests: [] };
}

/** An artifact of one blob, that refers to a subject. */
export function artifact(
  subject: TestImage | Descriptor,
  text: string,
  type = 'application/vnd.test.sbom',
): TestImage {
  const empty = content(Buffer.from('{}'), MEDIA_TYPES.ociEmpty);
  const blob = content(Buffer.from(text), 'text/plain');
  const of = 'descriptor' in subject ? subject.descriptor : subject;
  const manifest = manifestOf({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: type,
    config: plain(empty.descriptor),
    layers: [plain(blob.descriptor)],
    subject: plain(of),
    annotations: { 'org.example.text': text },
  });
  return { manifest, descriptor: describe(manifest), blobs: [empty, blob], manifests: [] };
}

export function index(images: readonly TestImage[], platforms: readonly string[] = []): TestImage {
  const manifest = manifestOf(
    {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: images.map(({ descriptor }, at) => {
        const [os, architecture] = (platforms[at] ?? '').split('/');
        return {
          ...plain(descriptor),
          ...(architecture === undefined ? {} : { platform: { os, architecture } }),
        };
      }),
    },
    MEDIA_TYPES.ociIndex,
  );
  return {
    manifest,
    descriptor: describe(manifest),
    blobs: images.flatMap(({ blobs }) => blobs),
    manifests: images.flatMap((one) => [...one.manifests, one.manifest]),
  };
}

export function describe({ mediaType, digest, bytes }: RawManifest): Descriptor {
  return { mediaType, digest, size: bytes.byteLength, urls: [], annotations: {} };
}

/** Puts it into a real registry, without the code that the tests are about where that is possible. */
export async function push(target: Repository, one: TestImage, tag?: string): Promise<Digest> {
  for (const { descriptor, bytes } of one.blobs)
    await writeBlob(target, descriptor, {
      name: 'a test',
      async *read(_blob, { offset = 0 }) {
        await Promise.resolve();
        yield bytes.subarray(offset);
      },
    });
  for (const manifest of one.manifests) await target.putManifest(manifest.digest, manifest);
  await target.putManifest(tag ?? one.manifest.digest, one.manifest);
  return one.manifest.digest;
}
