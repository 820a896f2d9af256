import { isFinal, type QueryReply, type UpgradeState } from '#contracts';

/** What one upgrade has to do with images. */
export interface ImageHolder {
  readonly id: string;
  readonly environment: string;
  readonly application: string;
  readonly state: UpgradeState;
  /** Digests that its plan brings to a mirror, or to targets. */
  readonly images: readonly string[];
  /** Instances that it left on a version of its own: verified, and not taken back. */
  readonly instances: readonly string[];
  /** A person had it go on without a step: what it says of its instances need not be so. */
  readonly skipped: boolean;
}

type Held = QueryReply<'held-images'>['items'][number];

/**
 * Images that are needed whatever the documents say: of upgrades that have not ended (the way back included), and of the last one that
 * left an instance on its version, since that is what it runs, and what the next upgrade's way back leads to.
 * @param upgrades those that have not ended, then the last to end first
 */
export function heldImagesOf(
  upgrades: readonly ImageHolder[],
  digests: ReadonlySet<string>,
): Held[] {
  const held = new Map<string, Held>();
  const followed = new Set<string>();
  for (const { id, environment, application, state, images, instances, skipped } of upgrades) {
    const keys = instances.map((instance) => `${environment} ${application} ${instance}`);
    const open = !isFinal(state);
    if (open || keys.some((key) => !followed.has(key)))
      for (const digest of images)
        if (digests.has(digest) && !held.has(digest))
          held.set(digest, { digest, upgrade: id, why: open ? 'not_ended' : 'runs' });
    // what is not ended may yet go back to the one before
    if (!open && !skipped) for (const key of keys) followed.add(key);
  }
  return [...held.values()];
}
