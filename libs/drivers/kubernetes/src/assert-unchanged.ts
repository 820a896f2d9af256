import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
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
  const expected: Record<string, unknown> = {
    UID: containerId,
    ...(imageReference === undefined ? {} : { image: imageReference }),
    running,
  };
  const actual: Record<string, unknown> | undefined = found && {
    UID: found.metadata.uid,
    image: containerIn(cluster, instance, found.spec.template).image,
    running:
      !isStopped({ instance }, found) &&
      (await look.podsOf(instance, found)).some(({ pod }) => !isEnding(pod) && isReady(pod)),
  };
  const changed = Object.keys(expected).filter((key) => expected[key] !== actual?.[key]);
  if (changed.length === 0) return {};
  const what =
    actual === undefined
      ? 'it is gone'
      : changed
          .map((key) => `${key} was ${String(expected[key])}, is ${String(actual[key])}`)
          .join('; ');
  throw new LiftlockError(
    'drift',
    `${instanceTitle(instance)} on ${cluster.name} is not as it was planned: ${what}; make a new plan`,
    { details: { container, expected, found: actual ?? null } },
  );
}
