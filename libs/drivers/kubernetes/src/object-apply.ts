import { isDeepStrictEqual } from 'node:util';
import type { ActionInput, Observation } from '#contracts';
import type { ObserveQuery } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Cluster } from './cluster.js';
import { ApiAnswer, isConflict, statusOf } from './errors.js';
import { FIELD_MANAGER } from './labels.js';
import { buildManifests, type BuiltManifests } from './manifests.js';
import type { ObjectAttempt, ObjectFound } from './object-attempt.js';
import { asNew, hookFailed, objectAt, titleAt, type ObjectPlace } from './object-place.js';
import { untilGone } from './object-gone.js';
import type { KeptObject } from './object-records.js';
import type { KubeObject } from './objects.js';
import { pathOf } from './resources.js';

type Work = Extract<ActionInput<'hook.object'>['work'], { type: 'apply' }>;
type ObservedManifests = NonNullable<Observation['manifests']>[number];

interface Applied {
  readonly place: ObjectPlace;
  readonly manifest: KubeObject;
}

/** What would be applied, for the plan that pins it. */
export async function observeManifests(
  { path, namespace }: NonNullable<ObserveQuery['manifests']>[number],
  signal: AbortSignal,
): Promise<ObservedManifests> {
  try {
    const { digest, objects } = await buildManifests({ path, namespace }, signal);
    const named = objects.map(({ kind = '', metadata }) =>
      [kind, ...(metadata.namespace === undefined ? [] : [metadata.namespace]), metadata.name].join(
        '/',
      ),
    );
    return { path, namespace, digest, objects: named };
  } catch (error) {
    signal.throwIfAborted();
    return { path, namespace, objects: [], problem: LiftlockError.from(error).message };
  }
}

/** Server-side apply of all objects, when the server was seen to take them all. */
export async function applyManifests(
  attempt: ObjectAttempt,
  work: Work,
  { recorded, digest }: { readonly recorded: boolean; readonly digest?: string | undefined },
): Promise<ObjectFound> {
  const { cluster, context, signal } = attempt;
  const built = await buildManifests({ path: work.path, namespace: attempt.namespace }, signal);
  if (digest !== undefined && built.digest !== digest)
    throw new LiftlockError(
      'drift',
      `what ${work.path} holds is not what was planned with (${built.digest}, planned ${digest}): make a new plan`,
      { details: { path: work.path, digest: built.digest, planned: digest } },
    );
  const all = await placesOf(attempt, built);
  for (const one of all) await apply(attempt, one, work.force, true);
  if (recorded && (await attempt.records.find(context.stepId)) === undefined) {
    const kept: KeptObject[] = [];
    for (const { place } of all)
      kept.push({ place, before: (await objectAt(cluster, place, signal)) ?? null });
    await attempt.keep(context.stepId, kept);
  }
  let changed = false;
  for (const one of all) {
    const before = await objectAt(cluster, one.place, signal);
    const after = await apply(attempt, one, work.force, false);
    // not by its version: older servers count an apply that changes nothing, too
    changed ||= !isDeepStrictEqual(before && content(before), after && content(after));
  }
  return changed ? 'done_now' : 'done_before';
}

/** What was there is there again as it was, what was not is gone: the last first. */
export async function applyBack(
  attempt: ObjectAttempt,
  kept: readonly KeptObject[],
): Promise<ObjectFound> {
  let changed = false;
  for (const one of kept.toReversed()) changed = (await objectBack(attempt, one)) || changed;
  return changed ? 'done_now' : 'done_before';
}

async function objectBack(attempt: ObjectAttempt, { place, before }: KeptObject): Promise<boolean> {
  const { cluster, changes, signal } = attempt;
  const { resource, namespace, name } = place;
  for (;;) {
    const current = await objectAt(cluster, place, signal);
    if (before === null) {
      if (current === undefined) return false;
      const { uid } = current.metadata;
      const removed = await changes.remove(resource, { namespace, name, uid }, 'foreground');
      await untilGone(attempt, place, uid);
      return removed;
    }
    if (current === undefined) {
      await changes.create(resource, asNew(before) as never);
      return true;
    }
    if (isDeepStrictEqual(content(current), content(before))) return false;
    const { metadata, status } = current as KubeObject & { status?: unknown };
    const { labels, annotations, finalizers } = before.metadata as KubeObject['metadata'] & {
      finalizers?: unknown;
    };
    try {
      await changes.replace(resource, {
        ...before,
        metadata: { ...metadata, labels, annotations, finalizers },
        status,
      } as unknown as KubeObject);
      return true;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}

/** All but what the API server and controllers write. */
function content({ metadata, ...object }: KubeObject): object {
  const { status: _status, ...rest } = object as Record<string, unknown>;
  const { labels, annotations } = metadata;
  return { ...rest, labels, annotations };
}

async function placesOf(
  { cluster, namespace, signal }: ObjectAttempt,
  { objects }: BuiltManifests,
): Promise<Applied[]> {
  const all: Applied[] = [];
  for (const manifest of objects) {
    const { apiVersion = '', kind = '', metadata } = manifest;
    const resource = await cluster.resources.ofManifest(apiVersion, kind, signal);
    const at = resource.namespaced ? { namespace: metadata.namespace ?? namespace } : {};
    all.push({ place: { resource, name: metadata.name, ...at }, manifest });
  }
  return all;
}

/** @returns what is there afterwards; undefined where that cannot be tried before what it depends on is made */
async function apply(
  { cluster, context, signal }: ObjectAttempt,
  { place, manifest }: Applied,
  force: boolean,
  dry: boolean,
): Promise<KubeObject | undefined> {
  const { resource, namespace, name } = place;
  if (!dry) await context.guard();
  try {
    return await cluster.json<KubeObject>(
      `applying ${titleAt(place)}`,
      {
        method: 'PATCH',
        path: pathOf(resource, { namespace, name }),
        query: { fieldManager: FIELD_MANAGER, force, ...(dry ? { dryRun: 'All' } : {}) },
        // JSON is YAML
        contentType: 'application/apply-patch+yaml',
        body: {
          ...manifest,
          metadata: { ...manifest.metadata, ...(namespace === undefined ? {} : { namespace }) },
        },
      },
      signal,
    );
  } catch (error) {
    if (dry && statusOf(error) === 404) return undefined;
    if (statusOf(error) === 409) throw conflict(cluster, place, error);
    throw error;
  }
}

/** Fields that others own, and who they are, as the API server tells them. */
function conflict(
  cluster: Pick<Cluster, 'name'>,
  place: ObjectPlace,
  error: unknown,
): LiftlockError {
  const from = error instanceof LiftlockError ? error.cause : error;
  const { causes = [] } = (from instanceof ApiAnswer ? (from.details ?? {}) : {}) as {
    causes?: ReadonlyArray<{ readonly message?: string; readonly field?: string }>;
  };
  const fields = causes.map(({ field, message }) => `${field} (${message})`);
  const what = fields.length === 0 ? LiftlockError.from(error).message : fields.join('; ');
  return hookFailed(
    cluster,
    `${titleAt(place)} is not applied, since others own what it sets: ${what}; take it out of the manifest, or say force: true where it is to be taken over`,
    { conflicts: fields },
  );
}
