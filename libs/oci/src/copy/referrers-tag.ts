import type { Descriptor } from '../descriptor.js';
import type { Digest } from '../digest.js';
import { rawManifest } from '../manifest.js';
import { MEDIA_TYPES } from '../media-types.js';
import { referrersOf, referrersTag, taggedReferrers } from '../registry/referrers.js';
import type { Repository } from '../registry/repository.js';

/** Writers of one tag take turns, within this process; between processes the last one wins, and looks whether it did. */
const turns = new Map<string, Promise<unknown>>();
const TRIES = 3;

/**
 * Where a registry does not note by itself what refers to a manifest, clients keep an index of it under a tag (distribution specification,
 * "Referrers Tag Schema"). @returns whether something was written
 */
export async function noteReferrers(
  target: Repository,
  subject: Digest,
  referrers: readonly Descriptor[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const key = `${target.address}@${subject}`;
  const turn = (turns.get(key) ?? Promise.resolve())
    .catch(() => undefined)
    .then(() => note(target, subject, referrers, signal));
  turns.set(key, turn);
  try {
    return await turn;
  } finally {
    if (turns.get(key) === turn) turns.delete(key);
  }
}

async function note(
  target: Repository,
  subject: Digest,
  referrers: readonly Descriptor[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let known = await referrersOf(target, subject, { signal });
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const listed = new Set(known.map(({ digest }) => digest));
    const missing = referrers.filter(({ digest }) => !listed.has(digest));
    if (missing.length === 0) return attempt > 0;
    const index = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [...known, ...missing].map(entryOf),
    };
    const raw = rawManifest(
      Buffer.from(JSON.stringify(index)),
      MEDIA_TYPES.ociIndex,
      'the referrers',
    );
    await target.putManifest(referrersTag(subject), raw, signal);
    known = await taggedReferrers(target, subject, signal);
  }
  return true;
}

function entryOf({
  mediaType,
  digest,
  size,
  artifactType,
  annotations,
  platform,
}: Descriptor): object {
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(platform === undefined
      ? {}
      : {
          platform: {
            architecture: platform.architecture,
            os: platform.os,
            ...(platform.variant === undefined ? {} : { variant: platform.variant }),
            ...(platform.osVersion === undefined ? {} : { 'os.version': platform.osVersion }),
          },
        }),
  };
}
