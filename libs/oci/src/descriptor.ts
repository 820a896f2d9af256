import { LiftlockError } from '#kernel';
import { isDigest, type Digest } from './digest.js';

/** https://github.com/opencontainers/image-spec/blob/main/descriptor.md; fields that are not used here stay in the bytes. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Other places to take the content from. */
  readonly urls: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  readonly artifactType?: string;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
}

/** @param where for the error's message: `layers[2] of app:1.0` @throws LiftlockError `image_corrupt` */
export function parseDescriptor(value: unknown, where: string): Descriptor {
  const refuse = (why: string): LiftlockError =>
    new LiftlockError('image_corrupt', `${where} is not a descriptor: ${why}`);
  if (!isObject(value)) throw refuse('it is not an object');
  const { mediaType, digest, size, urls, annotations, platform, artifactType } = value;
  if (typeof digest !== 'string' || !isDigest(digest))
    throw refuse(`its digest is ${JSON.stringify(digest)}`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw refuse(`its size is ${JSON.stringify(size)}`);
  if (typeof mediaType !== 'string' || mediaType === '')
    throw refuse(`its mediaType is ${JSON.stringify(mediaType)}`);
  const known = platformOf(platform);
  return {
    mediaType,
    digest,
    size,
    urls: Array.isArray(urls) ? urls.filter((url): url is string => typeof url === 'string') : [],
    annotations: stringsOf(annotations),
    ...(known === undefined ? {} : { platform: known }),
    ...(typeof artifactType === 'string' ? { artifactType } : {}),
  };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function stringsOf(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}

function platformOf(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined;
  const { os, architecture, variant } = value;
  const osVersion = value['os.version'];
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return {
    os,
    architecture,
    ...(typeof variant === 'string' && variant !== '' ? { variant } : {}),
    ...(typeof osVersion === 'string' && osVersion !== '' ? { osVersion } : {}),
  };
}
