import type { ApplicationDocument, QueryData, ReleaseDocument } from '#contracts';
import { applicationJobImageNames, jobImageNames } from './job-images.js';

export interface UsedImages {
  readonly references: ReadonlySet<string>;
  readonly digests: ReadonlySet<string>;
}

/** Every image that documents name, those of tables included: a bundle may be about to name one. */
export function usedImagesOf(
  releases: readonly ReleaseDocument[],
  applications: readonly ApplicationDocument[],
): UsedImages {
  const references = new Set<string>();
  const digests = new Set<string>();
  const add = (image: string, digest = image.split('@')[1]): void => {
    references.add(image);
    // a place at the mirror has a tag; where a digest stands beside it, that alone counts
    if (!image.includes('@')) references.add(withTag(image));
    if (digest !== undefined) digests.add(digest);
  };
  for (const { spec } of releases) {
    const tables = Object.values(spec.artifacts ?? {}).flatMap((versions) =>
      Object.values(versions),
    );
    for (const { image, digest } of [...Object.values(spec.components), ...tables])
      if (image !== undefined) add(image, digest);
  }
  for (const { spec } of applications) {
    const ofComponents = spec.components.flatMap((component) => jobImageNames(component));
    for (const { reference } of [...ofComponents, ...applicationJobImageNames(spec)])
      add(reference);
  }
  return { references, digests };
}

/**
 * By digest, by the very reference that it was mirrored for, or by the one that it has at the mirror: where a tag has moved since, the older
 * image stays, too.
 */
export function isUsed(
  { references, digests }: UsedImages,
  { source, digest, place }: QueryData<'used-images'>['images'][number],
): boolean {
  return (
    digests.has(digest) || references.has(source) || (place !== undefined && references.has(place))
  );
}

/** As it is meant where it says no tag. */
function withTag(reference: string): string {
  return reference.lastIndexOf(':') > reference.lastIndexOf('/')
    ? reference
    : `${reference}:latest`;
}
