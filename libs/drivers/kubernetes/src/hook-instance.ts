import { LiftlockError } from '#kernel';
import type { StepContext } from '#drivers/core';
import type { Cluster } from './cluster.js';
import { ClusterLook } from './cluster-look.js';
import { digestIn, runningImages } from './image-ids.js';
import { containerIn, instanceTitle, parseInstance, type InstanceName } from './instance.js';
import type { PodContainer, Workload } from './objects.js';
import type { OwnPod } from './own-pods.js';
import { isEnding } from './pod-state.js';

export interface HookAbout {
  readonly container: string;
  readonly imageId?: string | undefined;
  readonly imageDigest?: string | undefined;
}

export interface HookInstance {
  readonly instance: InstanceName;
  readonly workload: Workload;
  /** In the template. */
  readonly container: PodContainer;
  readonly pods: readonly OwnPod[];
}

/**
 * The workload that a hook is about, running or not.
 * @throws LiftlockError `drift` when what has its name is something else.
 */
export async function hookInstance(
  cluster: Cluster,
  context: StepContext,
  { container: text, imageId, imageDigest }: HookAbout,
): Promise<HookInstance> {
  const instance = parseInstance(text);
  const title = instanceTitle(instance);
  const refuse = (why: string): LiftlockError =>
    new LiftlockError('drift', `the hook is not run: ${why} on ${cluster.name}`, {
      details: { container: text, target: cluster.name },
    });
  const look = new ClusterLook(cluster, context.signal);
  const workload = await look.workload(instance);
  if (workload === undefined) throw refuse(`there is no ${title}`);
  const container = containerIn(cluster, instance, workload.spec.template);
  const pods = await look.podsOf(instance, workload);
  const pinned = digestIn(container.image);
  const wanted = imageDigest === undefined ? undefined : digestIn(imageDigest);
  if (pinned !== undefined && wanted !== undefined) {
    if (pinned !== wanted)
      throw refuse(`${title} has the image ${container.image}, not ${imageDigest}`);
    return { instance, workload, container, pods };
  }
  // by a tag: what the nodes made of it, where any of its pods is there
  const present = pods.filter(({ pod, isNew }) => isNew && !isEnding(pod)).map(({ pod }) => pod);
  const other = runningImages(present, container.name).find(
    ({ id, digest }) =>
      !(wanted !== undefined && digest !== undefined && digestIn(digest) === wanted) &&
      !(imageId !== undefined && id === imageId) &&
      // a node tells one of the two only
      !(wanted === undefined && imageId === undefined) &&
      ((wanted !== undefined && digest !== undefined) ||
        (imageId !== undefined && id !== undefined)),
  );
  if (other !== undefined)
    throw refuse(
      `${title} runs the image ${other.digest ?? other.id}, not ${imageDigest ?? imageId}`,
    );
  return { instance, workload, container, pods };
}

/** Lines of a hook's that are kept. */
const KEPT_LINES = 20;
const LONGEST_LINE = 1000;

/** The last of what a hook said: written to the step's log, and told with its result. */
export function keepWords(context: StepContext, lines: readonly string[]): string[] {
  const kept = lines.slice(-KEPT_LINES).map((line) => line.slice(0, LONGEST_LINE));
  for (const line of kept) context.log(line);
  return kept;
}
