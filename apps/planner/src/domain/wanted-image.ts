import type { ImageIdentity, ImageQuestion, Observation } from '#contracts';

export type SeenContainer = Observation['containers'][number];
export type SeenImage = Observation['images'][number];

/** Which image an instance is to run. */
export interface WantedImage {
  readonly identity: ImageIdentity;
  readonly archive?: string;
  /** IDs that an engine may have it under, besides: of what was loaded, no engine knows a digest. */
  readonly imageIds?: readonly string[];
  /** What was asked about it, where a mirror or a rule of trust is about it. */
  readonly examined?: ImageQuestion;
}

/** By which an instance that runs an image is known to. */
export interface ImageKey {
  readonly imageId?: string;
  readonly imageDigest?: string;
}

/** The same of what was seen: pods tell the digest that their image was pulled by, where it was pulled. */
export function seenKeyOf({
  imageId,
  repoDigests: [digest],
}: Pick<SeenContainer, 'imageId' | 'repoDigests'>): ImageKey {
  if (imageId !== undefined) return { imageId };
  return digest === undefined ? {} : { imageDigest: digest };
}

export function imageKeyOf({ identity }: WantedImage): ImageKey {
  const { id, digest } = identity;
  if (id !== undefined) return { imageId: id };
  return digest === undefined ? {} : { imageDigest: digest };
}
