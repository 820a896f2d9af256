import { LiftlockError } from '#kernel';
import { titleOf, type Cluster } from './cluster.js';
import type { KubeObject } from './objects.js';
import type { Resource } from './resources.js';

/** One object of a cluster's API. */
export interface ObjectPlace {
  readonly resource: Resource;
  /** Not there: it belongs to none. */
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** @param object `KIND/NAME`, or `KIND.GROUP/NAME` */
export async function placeOfObject(
  cluster: Cluster,
  { object, namespace }: { readonly object: string; readonly namespace: string },
  signal: AbortSignal,
): Promise<ObjectPlace> {
  const slash = object.indexOf('/');
  const resource = await cluster.resources.ofKind(object.slice(0, slash), signal);
  const name = object.slice(slash + 1);
  return { resource, name, ...(resource.namespaced ? { namespace } : {}) };
}

export async function objectAt(
  cluster: Cluster,
  { resource, namespace, name }: ObjectPlace,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  return cluster.get<KubeObject>(resource, { namespace, name }, signal);
}

export function titleAt({ resource, namespace, name }: ObjectPlace): string {
  return titleOf(resource, { namespace, name });
}

export function hookFailed(
  cluster: Pick<Cluster, 'name'>,
  why: string,
  details: Readonly<Record<string, unknown>> = {},
): LiftlockError {
  return new LiftlockError('hook_failed', `${why} (target ${cluster.name})`, {
    details: { target: cluster.name, ...details },
  });
}

/** What only the API server and controllers write: an object that is made again is made without it. */
export function asNew({ metadata, ...object }: KubeObject): KubeObject {
  const {
    uid: _uid,
    resourceVersion: _version,
    generation: _generation,
    creationTimestamp: _created,
    deletionTimestamp: _deleted,
    managedFields: _managed,
    ...kept
  } = metadata;
  const { status: _status, ...rest } = object as Record<string, unknown>;
  const {
    selfLink: _link,
    deletionGracePeriodSeconds: _grace,
    ...named
  } = kept as Record<string, unknown>;
  return { ...rest, metadata: named } as unknown as KubeObject;
}
