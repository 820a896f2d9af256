import { isDeepStrictEqual } from 'node:util';
import type { ActionInput } from '#contracts';
import { isConflict } from './errors.js';
import type { ObjectAttempt, ObjectFound } from './object-attempt.js';
import { LABELS } from './labels.js';
import {
  asNew,
  hookFailed,
  objectAt,
  placeOfObject,
  titleAt,
  type ObjectPlace,
} from './object-place.js';
import { untilGone } from './object-gone.js';
import type { KeptObject } from './object-records.js';
import type { KubeObject } from './objects.js';

type Work = Extract<ActionInput<'hook.object'>['work'], { type: 'delete' }>;

/** What goes with them is not in them: to make them again brings nothing of it back. */
const NOT_IN_THEM: ReadonlySet<string> = new Set([
  ...['PersistentVolumeClaim', 'PersistentVolume', 'Namespace', 'CustomResourceDefinition'],
  ...['Node', 'Pod'],
]);

/** Deletes an object, and sees it gone with what it owns. */
export async function deleteObject(
  attempt: ObjectAttempt,
  work: Work,
  recorded: boolean,
): Promise<ObjectFound> {
  const { cluster, signal, namespace } = attempt;
  const place = await placeOfObject(cluster, { object: work.object, namespace }, signal);
  const title = titleAt(place);
  if (recorded && NOT_IN_THEM.has(place.resource.kind))
    throw hookFailed(
      cluster,
      `${title} is not deleted: what goes with it cannot be made again from it; say irreversible: true if that is meant`,
    );
  const [kept] = (await attempt.records.find(attempt.context.stepId)) ?? [];
  const current = await objectAt(cluster, place, signal);
  if (current === undefined) return kept === undefined ? 'nothing_to_do' : 'done_before';
  const known = kept?.before?.metadata.uid;
  if (known !== undefined && known !== current.metadata.uid)
    throw hookFailed(
      cluster,
      `${title} was deleted, and somebody made it again: see who does, and delete it`,
    );
  if (recorded && kept === undefined)
    await attempt.keep(attempt.context.stepId, [{ place, before: current }]);
  const { uid } = current.metadata;
  await attempt.changes.remove(place.resource, { ...at(place), uid }, 'foreground');
  await untilGone(attempt, place, uid);
  return 'done_now';
}

/** Makes it again, from what was kept of it. */
export async function deleteBack(
  attempt: ObjectAttempt,
  { place, before }: KeptObject,
): Promise<ObjectFound> {
  if (before === null) return 'nothing_to_do';
  const { cluster, signal, context, changes } = attempt;
  let current = await objectAt(cluster, place, signal);
  // the deletion that was asked for is still under way
  if (current?.metadata.deletionTimestamp !== undefined) {
    await untilGone(attempt, place, current.metadata.uid);
    current = await objectAt(cluster, place, signal);
  }
  if (current?.metadata.uid === before.metadata.uid) return 'nothing_to_do';
  if (current !== undefined) {
    if (current.metadata.annotations?.[LABELS.upgrade] === context.upgrade) {
      await forgetMark(attempt, place);
      return 'done_before';
    }
    // the mark had gone when an attempt ended
    if (isDeepStrictEqual(content(current), content(before))) return 'done_before';
    throw hookFailed(
      cluster,
      `${titleAt(place)} is not made again as it was: somebody made another one; delete that, and try again`,
    );
  }
  const fresh = asNew(withoutTraces(before));
  const annotations = { ...fresh.metadata.annotations, [LABELS.upgrade]: context.upgrade };
  const made = await changes.create<KubeObject>(place.resource, {
    ...fresh,
    metadata: { ...fresh.metadata, annotations },
  });
  // of an attempt that was faster
  if (made === undefined) return deleteBack(attempt, { place, before });
  await forgetMark(attempt, place);
  return 'done_now';
}

/** A Job's controller wrote its own UID into it. */
function withoutTraces(object: KubeObject): KubeObject {
  if (object.kind !== 'Job') return object;
  const { spec } = object as unknown as { spec: Record<string, unknown> };
  const template = spec['template'] as { metadata?: { labels?: Record<string, string> } };
  const labels = Object.fromEntries(
    Object.entries(template.metadata?.labels ?? {}).filter(
      ([key]) => !/(?:^|\/)(?:controller-uid|job-name)$/.test(key),
    ),
  );
  const { selector: _selector, ...kept } = spec;
  const fresh = { ...template, metadata: { ...template.metadata, labels } };
  return { ...object, spec: { ...kept, template: fresh } } as unknown as KubeObject;
}

/** By the mark an attempt after this one knows the object; it is no part of what was there. */
async function forgetMark(
  { cluster, changes, signal }: ObjectAttempt,
  place: ObjectPlace,
): Promise<void> {
  for (;;) {
    const made = await objectAt(cluster, place, signal);
    if (made?.metadata.annotations?.[LABELS.upgrade] === undefined) return;
    const { [LABELS.upgrade]: _mark, ...annotations } = made.metadata.annotations;
    try {
      await changes.replace(place.resource, {
        ...made,
        metadata: { ...made.metadata, annotations },
      });
      return;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}

/** What people write of an object: controllers add annotations of their own. */
function content(object: KubeObject): object {
  const { metadata, ...rest } = asNew(withoutTraces(object));
  return { ...rest, labels: metadata.labels };
}

function at({ namespace, name }: ObjectPlace) {
  return { namespace, name };
}
