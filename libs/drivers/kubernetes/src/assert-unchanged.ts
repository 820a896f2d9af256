import type { ActionInput, ActionOutput } from '#contracts';
import { assertAsPlanned, type StepContext } from '#drivers/core';
import type { Cluster } from './cluster.js';
import { ClusterLook } from './cluster-look.js';
import { containerIn, instanceTitle, parseInstance } from './instance.js';
import { isEnding, isReady } from './pod-state.js';
import { isStopped } from './scale.js';

/** Nothing has happened to the instance since the plan was made. */
export async function assertUnchanged(
  cluster: Cluster,
  context: StepContext,
  { container, containerId, imageReference, running }: ActionInput<'instance.assert-unchanged'>,
): Promise<ActionOutput<'instance.assert-unchanged'>> {
  const instance = parseInstance(container);
  const look = new ClusterLook(cluster, context.signal);
  const found = await look.workload(instance);
  // what a template says of its image is all that it runs: what the nodes made of a tag is told by pods, which come and go
  const expected = {
    UID: containerId,
    ...(imageReference === undefined ? {} : { image: imageReference }),
    running,
  };
  const actual = found && {
    UID: found.metadata.uid,
    image: containerIn(cluster, instance, found.spec.template).image,
    running:
      !isStopped({ instance }, found) &&
      (await look.podsOf(instance, found)).some(({ pod }) => !isEnding(pod) && isReady(pod)),
  };
  assertAsPlanned(`${instanceTitle(instance)} on ${cluster.name}`, expected, actual, { container });
  return {};
}
