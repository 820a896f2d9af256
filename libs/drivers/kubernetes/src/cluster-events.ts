import type { Cluster } from './cluster.js';
import { statusOf } from './errors.js';
import type { ClusterEvent } from './objects.js';
import { RESOURCES } from './resources.js';

/**
 * What components of the cluster noted about an object, the oldest first. They are kept for an hour, and are for people: where we may not
 * read them there are none.
 */
export async function eventsOf(
  cluster: Cluster,
  { namespace, uid }: { readonly namespace: string; readonly uid: string },
  signal: AbortSignal,
): Promise<readonly ClusterEvent[]> {
  try {
    const fields = `involvedObject.uid=${uid}`;
    const all = await cluster.list<ClusterEvent>(RESOURCES.events, { namespace, fields }, signal);
    return all.toSorted((one, other) => (timeOf(one) < timeOf(other) ? -1 : 1));
  } catch (error) {
    if (statusOf(error) === 403) return [];
    throw error;
  }
}

export function countOf({ count, series }: ClusterEvent): number {
  return series?.count ?? count ?? 1;
}

export function timeOf({ lastTimestamp, eventTime, firstTimestamp }: ClusterEvent): string {
  return lastTimestamp ?? eventTime ?? firstTimestamp ?? '';
}
