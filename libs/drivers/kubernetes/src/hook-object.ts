import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { assertNever } from '#kernel';
import type { Cluster } from './cluster.js';
import { drain } from './drain.js';
import { cordon, cordonBack, uncordon, uncordonBack } from './nodes.js';
import { applyBack, applyManifests } from './object-apply.js';
import { ObjectAttempt, type ObjectFound } from './object-attempt.js';
import { changeData, changeDataBack } from './object-data.js';
import { deleteBack, deleteObject } from './object-delete.js';
import { patchBack, patchObject } from './object-patch.js';
import type { KeptObject } from './object-records.js';
import type { KubeNode } from './objects.js';

/** What is done to objects of the cluster; where it is recorded, what was there is kept before it is changed. */
export async function changeObject(
  cluster: Cluster,
  context: StepContext,
  input: ActionInput<'hook.object'>,
): Promise<ActionOutput<'hook.object'>> {
  const { namespace, container } = input;
  const found = await act(new ObjectAttempt(cluster, context, namespace, container), input);
  return { found, said: [] };
}

function act(
  attempt: ObjectAttempt,
  { work, recorded, digest }: ActionInput<'hook.object'>,
): Promise<ObjectFound> {
  switch (work.type) {
    case 'merge':
    case 'secret':
      return changeData(attempt, work, recorded);
    case 'delete':
      return deleteObject(attempt, work, recorded);
    case 'apply':
      return applyManifests(attempt, work, { recorded, digest });
    case 'patch':
      return patchObject(attempt, work, recorded);
    case 'cordon':
      return cordon(attempt, work);
    case 'drain':
      return drain(attempt, work);
    case 'uncordon':
      return uncordon(attempt, work, recorded);
    default:
      return assertNever(work, 'work');
  }
}

/** By what was kept, and by nothing else: the work itself is only there to say of which kind it was. */
export async function changeObjectBack(
  cluster: Cluster,
  context: StepContext,
  { container, namespace, work, undoes }: ActionInput<'hook.object-back'>,
): Promise<ActionOutput<'hook.object-back'>> {
  const attempt = new ObjectAttempt(cluster, context, namespace, container);
  if (work.type === 'cordon' || work.type === 'drain')
    // their marks are on the nodes
    return { found: await cordonBack(attempt, undoes), said: [] };
  const kept = await attempt.records.find(undoes);
  if (kept === undefined) return { found: 'nothing_to_do', said: [] };
  const found = await actBack(attempt, work.type, kept);
  await attempt.records.forget(undoes);
  return { found, said: [] };
}

async function actBack(
  attempt: ObjectAttempt,
  type: Exclude<ActionInput<'hook.object-back'>['work']['type'], 'cordon' | 'drain'>,
  kept: readonly KeptObject[],
): Promise<ObjectFound> {
  const [first] = kept;
  if (first === undefined) return 'nothing_to_do';
  switch (type) {
    case 'merge':
    case 'secret':
      return changeDataBack(attempt, first);
    case 'delete':
      return deleteBack(attempt, first);
    case 'apply':
      return applyBack(attempt, kept);
    case 'patch':
      return patchBack(attempt, first);
    case 'uncordon':
      return uncordonBack(
        attempt,
        kept.flatMap(({ before }) => (before === null ? [] : [before as KubeNode])),
      );
    default:
      return assertNever(type, 'work');
  }
}

/** Nothing takes it back any more. Nodes that stay cordoned keep their mark: a later uncordon of this upgrade goes by it. */
export async function forgetObjects(
  cluster: Cluster,
  context: StepContext,
  { container, namespaces, steps }: ActionInput<'hook.forget-objects'>,
): Promise<ActionOutput<'hook.forget-objects'>> {
  let found = false;
  for (const namespace of namespaces) {
    const { records } = new ObjectAttempt(cluster, context, namespace, container);
    for (const step of steps) if (await records.forget(step)) found = true;
  }
  return { found: found ? 'done_now' : 'nothing_to_do', said: [] };
}
