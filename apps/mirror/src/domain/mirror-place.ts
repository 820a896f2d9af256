import type { MirrorSpec } from '#contracts';
import type { Reference } from '#oci';

/** Where the mirror has an image: its own repository's path, below the mirror's prefix. */
export function placeInMirror(
  mirror: Pick<MirrorSpec, 'registry' | 'prefix'>,
  { repository, tag }: Pick<Reference, 'repository' | 'tag'>,
  digest: string,
): { repository: string; tag: string } {
  const prefix = mirror.prefix === undefined ? '' : `${mirror.prefix}/`;
  return {
    repository: `${mirror.registry}/${prefix}${repository}`,
    // without any tag, a registry that clears up would take it for garbage
    tag: tag ?? `digest-${digest.replace(/^sha256:/, '')}`,
  };
}
