import { LiftlockError } from '#kernel';
import type { Descriptor, Platform } from '../descriptor.js';

/** What of an index is wanted: `linux/amd64`, `linux/arm/v7`, `linux`. */
export interface PlatformFilter {
  readonly os: string;
  readonly architecture?: string;
  readonly variant?: string;
}

/** @throws LiftlockError `invalid_request` */
export function parsePlatform(text: string): PlatformFilter {
  const [os = '', architecture, variant, ...more] = text.split('/');
  const parts = [os, architecture, variant].filter((part) => part !== undefined);
  if (more.length > 0 || parts.some((part) => !/^[a-z0-9_.-]+$/i.test(part)))
    throw new LiftlockError(
      'invalid_request',
      `${JSON.stringify(text)} is not a platform: write os, os/architecture or os/architecture/variant, such as linux/amd64`,
    );
  return {
    os,
    ...(architecture === undefined ? {} : { architecture }),
    ...(variant === undefined ? {} : { variant }),
  };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== undefined).join('/');
}

function matches(filter: PlatformFilter, platform: Platform): boolean {
  return (
    filter.os === platform.os &&
    (filter.architecture === undefined || filter.architecture === platform.architecture) &&
    (filter.variant === undefined || filter.variant === platform.variant)
  );
}

/** What BuildKit files the attestations of an image under, in the same index. */
const ATTESTATION_OF = 'vnd.docker.reference.digest';

/**
 * Those of an index that belong to the platforms, with their attestations. An entry without a platform (a nested index, an artifact) is
 * always among them.
 */
export function selectPlatforms(
  entries: readonly Descriptor[],
  filters: readonly PlatformFilter[],
): readonly Descriptor[] {
  if (filters.length === 0) return entries;
  const chosen = new Set(
    entries
      .filter(
        ({ platform }) =>
          platform === undefined || filters.some((filter) => matches(filter, platform)),
      )
      .map(({ digest }) => digest as string),
  );
  return entries.filter(
    ({ digest, annotations }) =>
      chosen.has(digest) || chosen.has(annotations[ATTESTATION_OF] ?? ''),
  );
}
