import { waitFor } from '#kernel';
import type { ObjectAttempt } from './object-attempt.js';
import { objectAt, titleAt, type ObjectPlace } from './object-place.js';

/** An object that is being deleted stays until what it owns is gone, and its finalizers let it go. */
export async function untilGone(
  { cluster, signal, context }: ObjectAttempt,
  place: ObjectPlace,
  uid: string,
): Promise<void> {
  const isGone = async (): Promise<boolean> =>
    (await objectAt(cluster, place, signal))?.metadata.uid !== uid;
  await waitFor(isGone, {
    what: `${titleAt(place)} on ${cluster.name} is gone (what keeps it: its finalizers, or what it owns)`,
    ...{ deadlineMs: context.timeoutSeconds * 1000, everyMs: 250, signal },
  });
}
