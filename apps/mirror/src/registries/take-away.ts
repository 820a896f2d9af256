import { LiftlockError } from '#kernel';
import {
  cosignTags,
  parseManifest,
  referrersOf,
  referrersTag,
  type Digest,
  type Repository,
} from '#oci';

/** Tags that are read at the same time. */
const AT_ONCE = 8;

/** What a tag means now. */
interface Tagged {
  readonly tag: string;
  readonly digest: Digest;
  /** Of an index: what it names. */
  readonly named: readonly Digest[];
}

/**
 * Takes an image away, with what refers to it. The images of an index, and all blobs, stay until the registry clears up: others may share
 * them. Of what refers to it stays what has a tag besides, or what an index with such a tag names.
 * @param ours tags that were written with it
 * @throws LiftlockError `conflict` where it has a tag that is not ours, or an index names it: deleting by digest takes all of that along
 */
export async function takeAway(
  repository: Repository,
  digest: Digest,
  ours: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  if ((await repository.find(digest, signal)) === undefined) return;
  const ofIts = new Set([...cosignTags(digest), referrersTag(digest)]);
  const tagged = await readTags(repository, signal);
  const others = tagged.filter(({ tag }) => !ofIts.has(tag));
  for (const other of others) {
    const why = standsInTheWay(other, digest, ours);
    if (why !== undefined)
      throw new LiftlockError('conflict', `${repository.address}@${digest} stays: ${why}`, {
        details: { tag: other.tag },
      });
  }
  const wanted = new Set(others.flatMap((other) => [other.digest, ...other.named]));
  // the list that stands in for the referrers' API after what it lists, the image last: whatever breaks this off, another try finds the rest
  const companions = new Set(
    [
      ...(await referrersOf(repository, digest, { signal })),
      ...tagged.filter(({ tag }) => ofIts.has(tag)),
    ].map((one) => one.digest),
  );
  companions.delete(digest);
  for (const companion of companions)
    if (!wanted.has(companion)) await repository.deleteManifest(companion, signal);
  await repository.deleteManifest(digest, signal);
}

async function readTags(repository: Repository, signal: AbortSignal): Promise<Tagged[]> {
  const tags = await repository.tags(signal);
  const found: Tagged[] = [];
  for (let first = 0; first < tags.length; first += AT_ONCE) {
    const some = tags.slice(first, first + AT_ONCE);
    const read = await Promise.all(some.map((tag) => readTag(repository, tag, signal)));
    for (const one of read) if (one !== undefined) found.push(one);
  }
  return found;
}

/** @returns undefined where it means nothing any more */
async function readTag(
  repository: Repository,
  tag: string,
  signal: AbortSignal,
): Promise<Tagged | undefined> {
  try {
    const raw = await repository.manifest(tag, signal);
    const manifest = parseManifest(raw, `${repository.address}:${tag}`);
    const named = manifest.kind === 'index' ? manifest.manifests : [];
    return { tag, digest: raw.digest, named: named.map((one) => one.digest) };
  } catch (error) {
    if (error instanceof LiftlockError && error.code === 'image_missing') return undefined;
    throw error;
  }
}

function standsInTheWay(
  { tag, digest: meant, named }: Tagged,
  digest: Digest,
  ours: ReadonlySet<string>,
): string | undefined {
  // one that is ours may mean another image by now
  if (meant === digest)
    return ours.has(tag)
      ? undefined
      : `it has the tag ${tag}, which no upgrade gave it: take that away first`;
  return named.includes(digest) ? `${tag} names it among its images` : undefined;
}
