import { LiftlockError } from '#kernel';
import { isObject, parseDescriptor, type Descriptor } from './descriptor.js';
import { digestBytes, type Algorithm, type Digest } from './digest.js';
import { isIndexType, isManifestType, MEDIA_TYPES } from './media-types.js';

/** A manifest or an index as its bytes: they are what the digest is of, and go on as they came. */
export interface RawManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** What a manifest names. */
export type Manifest =
  | {
      readonly kind: 'index';
      readonly manifests: readonly Descriptor[];
      readonly subject: Descriptor | undefined;
      readonly artifactType: string | undefined;
      readonly annotations: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'image';
      readonly config: Descriptor | undefined;
      readonly layers: readonly Descriptor[];
      readonly subject: Descriptor | undefined;
      readonly artifactType: string | undefined;
      readonly annotations: Readonly<Record<string, string>>;
    };

/** Bytes that a manifest may have: the specification asks registries for at least 4 MiB. */
export const MAX_MANIFEST_BYTES = 8 * 1024 * 1024;

/**
 * @param told the `Content-Type` that came with it, with or without parameters
 * @throws LiftlockError `image_corrupt` when it is none, or says of itself that it is another thing than it was said to be
 */
export function rawManifest(
  bytes: Buffer,
  told: string | undefined,
  where: string,
  algorithm: Algorithm = 'sha256',
): RawManifest {
  const content = parseJson(bytes, where);
  const type = told?.split(';')[0]?.trim().toLowerCase();
  const own = content['mediaType'];
  if (typeof own === 'string' && type !== undefined && isManifestType(type) && own !== type)
    throw new LiftlockError(
      'image_corrupt',
      `${where} says that it is ${own}, and came as ${type}: one of the two is wrong`,
    );
  const mediaType =
    typeof own === 'string' && own !== ''
      ? own
      : type !== undefined && isManifestType(type)
        ? type
        : guess(content, where);
  if (!isManifestType(mediaType))
    throw new LiftlockError(
      'image_corrupt',
      `${where} is ${mediaType}, which is no image manifest or index that is known`,
    );
  return { bytes, mediaType, digest: digestBytes(bytes, algorithm) };
}

function guess(content: Record<string, unknown>, where: string): string {
  if (content['schemaVersion'] === 1)
    throw new LiftlockError(
      'image_corrupt',
      `${where} is of Docker's schema 1, which was withdrawn: build or push the image anew`,
    );
  // the fields that tell the two apart (image specification, "Image Manifest" and "Image Index")
  return 'manifests' in content ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest;
}

export function parseManifest(raw: RawManifest, where: string): Manifest {
  const content = parseJson(raw.bytes, where);
  const list = (field: string): Descriptor[] => {
    const value = content[field] ?? [];
    if (!Array.isArray(value))
      throw new LiftlockError('image_corrupt', `${field} of ${where} is not a list`);
    return value.map((one: unknown, index) =>
      parseDescriptor(one, `${field}[${index}] of ${where}`),
    );
  };
  const one = (field: string): Descriptor | undefined =>
    content[field] === undefined || content[field] === null
      ? undefined
      : parseDescriptor(content[field], `${field} of ${where}`);
  const { artifactType, annotations } = content;
  const common = {
    subject: one('subject'),
    artifactType: typeof artifactType === 'string' ? artifactType : undefined,
    annotations: isObject(annotations) ? (annotations as Record<string, string>) : {},
  };
  if (isIndexType(raw.mediaType)) return { kind: 'index', manifests: list('manifests'), ...common };
  const layers = raw.mediaType === MEDIA_TYPES.ociArtifact ? list('blobs') : list('layers');
  return { kind: 'image', config: one('config'), layers, ...common };
}

function parseJson(bytes: Buffer, where: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8'));
    if (isObject(parsed)) return parsed;
  } catch {
    // told below
  }
  throw new LiftlockError('image_corrupt', `${where} is not a JSON object, so no manifest`);
}
