import { LiftlockError } from '#kernel';
import { parseDescriptor, type Descriptor } from '../descriptor.js';
import { algorithmOf, hexOf, type Digest } from '../digest.js';
import { parseManifest } from '../manifest.js';
import { isIndexType } from '../media-types.js';
import { readLinked } from './pages.js';
import type { Repository } from './repository.js';

/** The tag under which clients keep the referrers where a registry has no API for them (distribution specification 1.1). */
export function referrersTag(digest: Digest): string {
  return `${algorithmOf(digest)}-${hexOf(digest).slice(0, 64)}`;
}

/** The tags under which cosign keeps signatures, attestations and SBOMs of what has this digest. */
export function cosignTags(digest: Digest): string[] {
  const base = `${algorithmOf(digest)}-${hexOf(digest)}`;
  return [`${base}.sig`, `${base}.att`, `${base}.sbom`];
}

export interface ReferrersOptions {
  readonly signal?: AbortSignal | undefined;
  /** Whether the fallback's tag may exist; default: it is asked for. */
  readonly mayBeTagged?: () => Promise<boolean>;
}

/** Registries that have answered that they have no referrers API: they are not asked for each image again. */
const withoutApi = new WeakSet<object>();

/** What refers to a digest: by the registry's API, else by the tag that stands in for it. */
export async function referrersOf(
  repository: Repository,
  digest: Digest,
  options: ReferrersOptions = {},
): Promise<Descriptor[]> {
  const { signal, mayBeTagged } = options;
  const byApi = withoutApi.has(repository.client)
    ? undefined
    : await listedReferrers(repository, digest, signal);
  if (byApi !== undefined) return byApi;
  if (mayBeTagged !== undefined && !(await mayBeTagged())) return [];
  return taggedReferrers(repository, digest, signal);
}

/** @returns undefined where the registry has no such API */
async function listedReferrers(
  repository: Repository,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<Descriptor[] | undefined> {
  const { client, name, scopes } = repository;
  const what = `listing what refers to ${repository.address}@${digest}`;
  const url = `/v2/${name}/referrers/${digest}`;
  const found: Descriptor[] = [];
  let answered = false;
  try {
    for await (const page of readLinked(client, { url, what, scopes, signal })) {
      answered = true;
      const listed = page['manifests'];
      if (!Array.isArray(listed)) continue;
      listed.forEach((one: unknown, index) =>
        found.push(parseDescriptor(one, `manifests[${index}] of the referrers of ${digest}`)),
      );
    }
  } catch (error) {
    // registries from before the API answer with all sorts of refusals; trouble and denial stay what they are
    if (!(error instanceof LiftlockError) || error.code !== 'registry_refused') throw error;
  }
  if (!answered) withoutApi.add(repository.client);
  return answered ? found : undefined;
}

/** Those of the fallback's tag; what does not hold an index there means none. */
export async function taggedReferrers(
  repository: Repository,
  digest: Digest,
  signal?: AbortSignal,
): Promise<Descriptor[]> {
  try {
    const tag = referrersTag(digest);
    const raw = await repository.manifest(tag, signal);
    if (!isIndexType(raw.mediaType)) return [];
    const index = parseManifest(raw, `${repository.address}:${tag}`);
    return index.kind === 'index' ? [...index.manifests] : [];
  } catch (error) {
    if (error instanceof LiftlockError && error.code === 'image_missing') return [];
    throw error;
  }
}
