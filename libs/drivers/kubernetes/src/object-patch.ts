import { isDeepStrictEqual } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import type { ActionInput } from '#contracts';
import { abortedBy, isConflict, isPassing } from './errors.js';
import { valueAt } from './json-path.js';
import type { ObjectAttempt, ObjectFound } from './object-attempt.js';
import { hookFailed, objectAt, placeOfObject, titleAt, type ObjectPlace } from './object-place.js';
import type { KeptObject } from './object-records.js';
import type { Condition, KubeObject } from './objects.js';

type Work = Extract<ActionInput<'hook.object'>['work'], { type: 'patch' }>;
type Json = unknown;
type JsonObject = Readonly<Record<string, Json>>;

/** So often it is looked whether what was waited for has come, in milliseconds. */
const LOOK_MS = 500;

/** Changes an object by a merge patch (RFC 7386), and waits for what follows from it. */
export async function patchObject(
  attempt: ObjectAttempt,
  work: Work,
  recorded: boolean,
): Promise<ObjectFound> {
  const { cluster, signal, namespace, context } = attempt;
  const place = await placeOfObject(cluster, { object: work.object, namespace }, signal);
  const kept = await attempt.records.find(context.stepId);
  let changed = false;
  for (;;) {
    const current = await objectAt(cluster, place, signal);
    if (current === undefined) throw hookFailed(cluster, `there is no ${titleAt(place)} to patch`);
    if (isDeepStrictEqual(merged(current, work.patch), current)) break;
    if (recorded && kept === undefined)
      await attempt.keep(context.stepId, [{ place, before: current, after: work.patch }]);
    if (await patch(attempt, place, work.patch, current)) {
      changed = true;
      break;
    }
  }
  if (work.until !== undefined) await untilHolds(attempt, place, work);
  if (changed) return 'done_now';
  return kept !== undefined || !recorded ? 'done_before' : 'nothing_to_do';
}

/** What the patch set, and is still so, is as it was before. */
export async function patchBack(
  attempt: ObjectAttempt,
  { place, before, after }: KeptObject,
): Promise<ObjectFound> {
  const { cluster, signal } = attempt;
  for (;;) {
    const current = await objectAt(cluster, place, signal);
    if (current === undefined)
      throw hookFailed(
        cluster,
        `there is no ${titleAt(place)} any more whose change could be taken back`,
      );
    const foreign: string[] = [];
    const back = backPatch(after as JsonObject, asObject(before), asObject(current), '', foreign);
    if (foreign.length > 0)
      throw hookFailed(
        cluster,
        `${foreign.join(', ')} of ${titleAt(place)} was changed since the upgrade changed it: put back by hand what was there`,
      );
    if (isDeepStrictEqual(merged(current, back), current)) return 'done_before';
    if (await patch(attempt, place, back, current)) return 'done_now';
  }
}

async function patch(
  { changes }: ObjectAttempt,
  { resource, namespace, name }: ObjectPlace,
  changesWanted: JsonObject,
  { metadata: { resourceVersion } }: KubeObject,
): Promise<boolean> {
  const given = asObject(changesWanted['metadata']);
  try {
    await changes.merge(
      resource,
      { namespace, name },
      {
        ...changesWanted,
        // only as it was read
        metadata: { ...given, resourceVersion },
      },
    );
    return true;
  } catch (error) {
    if (isConflict(error)) return false;
    throw error;
  }
}

/** RFC 7386. */
export function merged(target: Json, change: Json): Json {
  if (!isObject(change)) return change;
  const result: Record<string, Json> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

/** A patch that undoes another one: leaf by leaf, where it is as that one left it. Leaves that are neither so nor as before are named. */
function backPatch(
  change: JsonObject,
  before: JsonObject,
  current: JsonObject,
  path: string,
  foreign: string[],
): JsonObject {
  const back: Record<string, Json> = {};
  for (const [key, value] of Object.entries(change)) {
    const [was, is] = [before[key], current[key]];
    if (isObject(value) && isObject(was)) {
      back[key] = backPatch(value, was, asObject(is), `${path}.${key}`, foreign);
      continue;
    }
    const made = value === null ? undefined : merged(undefined, value);
    if (isDeepStrictEqual(is, was)) continue;
    // the API may have filled in defaults of what was new
    const isOurs =
      isDeepStrictEqual(is, made) || (isObject(made) && isDeepStrictEqual(merged(is, value), is));
    if (isOurs) back[key] = was ?? null;
    else foreign.push(`${path}.${key}`);
  }
  return back;
}

async function untilHolds(attempt: ObjectAttempt, place: ObjectPlace, work: Work): Promise<void> {
  const { cluster, signal } = attempt;
  const deadline = performance.now() + work.deadlineSeconds * 1000;
  let last = 'nothing';
  for (;;) {
    try {
      const now = await objectAt(cluster, place, signal);
      if (now === undefined)
        throw hookFailed(cluster, `${titleAt(place)} was deleted while it was waited for`);
      const seen = looks(now, work);
      if (seen.holds) return;
      last = seen.detail;
    } catch (error) {
      // the API server may be away for a moment
      if (!isPassing(error instanceof Error ? (error.cause ?? error) : error)) throw error;
    }
    if (performance.now() >= deadline)
      throw hookFailed(
        cluster,
        `${titleAt(place)} did not become as it is waited for (${wanted(work)}) within ${work.deadlineSeconds} s; last seen: ${last}`,
        { lastSeen: last },
      );
    await delay(LOOK_MS, undefined, { signal }).catch(() => {
      throw abortedBy(signal, `waiting for ${titleAt(place)}`);
    });
  }
}

function wanted({ until }: Work): string {
  if (until === undefined) return '';
  return 'condition' in until
    ? `${until.condition} ${until.status}`
    : `${until.jsonPath} is ${until.equals}`;
}

function looks(
  now: KubeObject,
  { until }: Work,
): { readonly holds: boolean; readonly detail: string } {
  if (until === undefined) return { holds: true, detail: '' };
  const { status = {}, metadata } = now as KubeObject & {
    status?: { observedGeneration?: number; conditions?: Condition[] };
  };
  const seenOf = status.observedGeneration;
  // what is said of an earlier generation says nothing of the patch
  if (seenOf !== undefined && seenOf < (metadata.generation ?? 0))
    return { holds: false, detail: 'its controller has not seen the change yet' };
  if (!('condition' in until)) {
    const value = valueAt(now, until.jsonPath);
    return {
      holds: value === until.equals,
      detail: `${until.jsonPath} is ${value ?? 'not there'}`,
    };
  }
  const found = status.conditions?.find(({ type }) => type === until.condition);
  if (found === undefined) return { holds: false, detail: `no condition ${until.condition}` };
  if ((found.observedGeneration ?? metadata.generation ?? 0) < (metadata.generation ?? 0))
    return { holds: false, detail: `${until.condition} is of an earlier generation` };
  const words = [found.reason, found.message].filter(Boolean).join(': ');
  return {
    holds: found.status === until.status,
    detail: `${until.condition} is ${found.status}${words === '' ? '' : ` (${words})`}`,
  };
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asObject(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}
