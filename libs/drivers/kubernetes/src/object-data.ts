import { isDeepStrictEqual } from 'node:util';
import type { ActionInput } from '#contracts';
import type { ObjectAttempt, ObjectFound } from './object-attempt.js';
import { isConflict } from './errors.js';
import { asNew, hookFailed, objectAt, titleAt, type ObjectPlace } from './object-place.js';
import type { KeptObject } from './object-records.js';
import type { KubeObject } from './objects.js';
import { RESOURCES } from './resources.js';

type Work = Extract<ActionInput<'hook.object'>['work'], { type: 'merge' | 'secret' }>;
type Data = Readonly<Record<string, string>>;

interface DataObject extends KubeObject {
  readonly data?: Data;
  readonly immutable?: boolean;
  readonly type?: string;
}

/** Keys of a ConfigMap or a Secret. What the step makes is in its record, so that the way back knows what is its own. */
export async function changeData(
  attempt: ObjectAttempt,
  work: Work,
  recorded: boolean,
): Promise<ObjectFound> {
  const place = placeOfData(attempt, work);
  const step = attempt.context.stepId;
  let [kept] = (await attempt.records.find(step)) ?? [];
  const hadRecord = kept !== undefined;
  let changed = false;
  for (;;) {
    const current = (await objectAt(attempt.cluster, place, attempt.signal)) as
      | DataObject
      | undefined;
    // one that cannot be changed is made anew: an attempt before may have ended in between
    const base = current ?? (kept?.before as DataObject | undefined) ?? undefined;
    const makes = work.type === 'secret' && work.replace;
    if (base === undefined && !makes)
      throw hookFailed(
        attempt.cluster,
        `there is no ${titleAt(place)} to put ${Object.keys(work.data).join(', ')} into: create it`,
      );
    const after = wantedData(work, base?.data ?? {});
    if (current !== undefined && isDeepStrictEqual(current.data ?? {}, after)) break;
    // one that is made anew is not there for a moment
    if (recorded || current?.immutable === true) {
      const record: KeptObject = {
        place,
        before: kept === undefined ? (current ?? null) : kept.before,
        after,
      };
      if (kept === undefined) [kept = record] = await attempt.keep(step, [record]);
      if (!isDeepStrictEqual(kept.after, after)) {
        kept = record;
        await attempt.records.update(step, [record]);
      }
    }
    if (await put(attempt, place, current, { ...(base ?? { type: 'Opaque' }), data: after })) {
      changed = true;
      break;
    }
  }
  if (!recorded) await attempt.records.forget(step);
  if (changed) return 'done_now';
  return hadRecord || !recorded ? 'done_before' : 'nothing_to_do';
}

/** Each key that is as the step made it is as it was before; what another one changed since is told. */
export async function changeDataBack(
  attempt: ObjectAttempt,
  kept: KeptObject,
): Promise<ObjectFound> {
  const { place } = kept;
  const before = kept.before as DataObject | null;
  const [was, made] = [before?.data ?? {}, (kept.after ?? {}) as Data];
  for (;;) {
    const current = (await objectAt(attempt.cluster, place, attempt.signal)) as
      | DataObject
      | undefined;
    const keys = [...new Set([...Object.keys(was), ...Object.keys(made)])].filter(
      (key) => was[key] !== made[key],
    );
    const now = current?.data ?? {};
    const foreign =
      current === undefined
        ? []
        : keys.filter((key) => now[key] !== made[key] && now[key] !== was[key]);
    if (foreign.length > 0)
      throw hookFailed(
        attempt.cluster,
        `${foreign.join(', ')} of ${titleAt(place)} was changed since the upgrade changed it: put back by hand what was there`,
      );
    if (before === null) {
      if (current === undefined) return 'done_before';
      const { uid } = current.metadata;
      const { namespace, name } = place;
      await attempt.changes.remove(place.resource, { namespace, name, uid });
      return 'done_now';
    }
    const wanted: Data = Object.fromEntries([
      ...Object.entries(now).filter(([key]) => !keys.includes(key)),
      ...(current === undefined
        ? Object.entries(was)
        : keys.flatMap((key) => (was[key] === undefined ? [] : [[key, was[key]] as const]))),
    ]);
    if (current !== undefined && isDeepStrictEqual(now, wanted)) return 'done_before';
    if (await put(attempt, place, current, { ...(current ?? before), data: wanted }))
      return 'done_now';
  }
}

function placeOfData({ namespace }: ObjectAttempt, { type, object }: Work): ObjectPlace {
  const resource = type === 'merge' ? RESOURCES.configMaps : RESOURCES.secrets;
  return { resource, namespace, name: object.slice(object.indexOf('/') + 1) };
}

function wantedData(work: Work, before: Data): Data {
  const isSecret = work.type === 'secret';
  const kept =
    isSecret && work.replace
      ? []
      : Object.entries(before).filter(([key]) => !Object.hasOwn(work.data, key));
  const set = Object.entries(work.data).flatMap(([key, value]) =>
    value === null
      ? []
      : [[key, isSecret ? Buffer.from(value).toString('base64') : value] as const],
  );
  return Object.fromEntries([...kept, ...set]);
}

/** @returns false where it was changed in between: look again */
async function put(
  { changes }: ObjectAttempt,
  place: ObjectPlace,
  current: DataObject | undefined,
  wanted: Omit<DataObject, 'metadata'> & { readonly metadata?: KubeObject['metadata'] },
): Promise<boolean> {
  const { resource, namespace, name } = place;
  if (current !== undefined && current.immutable !== true) {
    try {
      await changes.replace(resource, { ...wanted, metadata: current.metadata } as DataObject);
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }
  if (current !== undefined) {
    const { uid } = current.metadata;
    await changes.remove(resource, { namespace, name, uid });
  }
  const metadata = { ...wanted.metadata, namespace, name } as KubeObject['metadata'];
  const made = await changes.create(resource, asNew({ ...wanted, metadata }) as never);
  return made !== undefined;
}
