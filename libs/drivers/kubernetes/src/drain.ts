import { setTimeout as delay } from 'node:timers/promises';
import type { ActionInput } from '#contracts';
import { LiftlockError } from '#kernel';
import { abortedBy, statusOf } from './errors.js';
import { cordon, nodesOf } from './nodes.js';
import type { ObjectAttempt, ObjectFound } from './object-attempt.js';
import { hookFailed } from './object-place.js';
import type { Pod } from './objects.js';
import { controllerOf } from './own-pods.js';
import { hasEnded } from './pod-state.js';
import { pathOf, RESOURCES } from './resources.js';

type Work = Extract<ActionInput<'hook.object'>['work'], { type: 'drain' }>;

/** So often it is looked which pods are left, and asked again for those that a budget holds, in milliseconds. */
const LOOK_MS = 1_000;
const MIRROR = 'kubernetes.io/config.mirror';

/**
 * Cordons nodes, and evicts their pods by the API that heeds PodDisruptionBudgets. What may not go is named before anything is evicted.
 * @throws LiftlockError `hook_failed` at the deadline, with who is left and what holds them
 */
export async function drain(attempt: ObjectAttempt, work: Work): Promise<ObjectFound> {
  const { cluster, signal } = attempt;
  const nodes = (await nodesOf(attempt, work)).map(({ metadata }) => metadata.name);
  const first = (await Promise.all(nodes.map((node) => podsOn(attempt, node)))).flat();
  const refused = first.flatMap((pod) => {
    const why = whyNot(pod, work);
    return why === undefined ? [] : [`${pod.metadata.namespace}/${pod.metadata.name} ${why}`];
  });
  if (refused.length > 0)
    throw hookFailed(
      cluster,
      `${nodes.join(', ')} is not drained, and nothing was evicted: ${refused.join('; ')}`,
    );
  const found = await cordon(attempt, work);
  const deadline = performance.now() + work.deadlineSeconds * 1000;
  const asked = new Set<string>();
  const held = new Map<string, string>();
  for (;;) {
    const left = (await Promise.all(nodes.map((node) => podsOn(attempt, node)))).flat();
    if (left.length === 0) return asked.size > 0 ? 'done_now' : found;
    for (const pod of left) {
      const { uid, deletionTimestamp } = pod.metadata;
      if (deletionTimestamp !== undefined || asked.has(uid)) continue;
      const holds = await evict(attempt, pod, work);
      if (holds === undefined) asked.add(uid);
      else held.set(uid, holds);
    }
    if (performance.now() >= deadline) throw late(attempt, work, left, held);
    await delay(LOOK_MS, undefined, { signal }).catch(() => {
      throw abortedBy(signal, `draining ${nodes.join(', ')}`);
    });
  }
}

/** Those that a drain is about: neither a DaemonSet's, which would be there again at once, nor what the kubelet alone runs. */
async function podsOn({ cluster, signal }: ObjectAttempt, node: string): Promise<readonly Pod[]> {
  const fields = `spec.nodeName=${node}`;
  const all = await cluster.list<Pod>(RESOURCES.pods, { fields }, signal);
  return all.filter(
    (pod) =>
      !hasEnded(pod) &&
      pod.metadata.annotations?.[MIRROR] === undefined &&
      controllerOf(pod)?.kind !== 'DaemonSet',
  );
}

function whyNot(pod: Pod, work: Work): string | undefined {
  if (pod.metadata.deletionTimestamp !== undefined) return undefined;
  if (!work.evictUnmanaged && controllerOf(pod) === undefined)
    return 'is made again by nobody (evictUnmanaged: true lets it go)';
  const empty = (pod.spec.volumes ?? []).filter(({ emptyDir }) => emptyDir !== undefined);
  if (!work.deleteEmptyDirData && empty.length > 0)
    return `has data in emptyDir (${empty.map(({ name }) => name).join(', ')}; deleteEmptyDirData: true lets it go)`;
  return undefined;
}

/** @returns what holds it; undefined: it goes */
async function evict(
  { cluster, context, signal }: ObjectAttempt,
  { metadata: { namespace, name, uid } }: Pod,
  { gracePeriodSeconds }: Work,
): Promise<string | undefined> {
  const apiVersion = await cluster.resources.evictionVersion(signal);
  await context.guard();
  try {
    await cluster.json(
      `evicting ${namespace}/${name}`,
      {
        method: 'POST',
        path: pathOf(RESOURCES.pods, { namespace, name, sub: 'eviction' }),
        body: {
          ...{ apiVersion, kind: 'Eviction', metadata: { namespace, name } },
          deleteOptions: {
            preconditions: { uid },
            ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
          },
        },
        once: true,
      },
      signal,
    );
    context.log(`evicted ${namespace}/${name}`);
    return undefined;
  } catch (error) {
    const status = statusOf(error);
    // gone, or another one of its name is there by now
    if (status === 404 || status === 409) return undefined;
    // 500: more than one budget is about it
    if (status === 429 || status === 500) return LiftlockError.from(error).message;
    throw error;
  }
}

function late(
  { cluster }: ObjectAttempt,
  { deadlineSeconds }: Work,
  left: readonly Pod[],
  held: ReadonlyMap<string, string>,
): LiftlockError {
  const who = left.map(({ metadata: { namespace, name, uid } }) => {
    const holds = held.get(uid);
    return `${namespace}/${name}${holds === undefined ? ' has not ended' : ` is held: ${holds}`}`;
  });
  return hookFailed(cluster, `not drained within ${deadlineSeconds} s: ${who.join('; ')}`, {
    left: who,
  });
}
