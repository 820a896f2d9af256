import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { Attempt } from './attempt.js';
import { withBrought } from './brought.js';
import type { Cluster } from './cluster.js';
import { containerIn, drift, instanceTitle } from './instance.js';
import { lastWriter, managersOf } from './managers.js';
import type { PodTemplate, Workload } from './objects.js';
import { isStopped, keptOf, rewrite, started } from './scale.js';
import { changedTemplate, differences, isSameContainer, withNodes } from './template.js';

type Input = ActionInput<'instance.replace'>;

/**
 * Gives the workload the new version, and its pods back where it was stopped. It is written as a whole, and only as it was read: server-side
 * apply can neither take a variable away that another wrote, nor leave alone what an earlier hop of ours set and this one says nothing of.
 */
export async function replace(
  cluster: Cluster,
  context: StepContext,
  input: Input,
): Promise<ActionOutput<'instance.replace'>> {
  const attempt = new Attempt(cluster, context, input);
  const { instance, records } = attempt;
  const rolling = input.rolling === true;
  let kept = await records.find(input.keptName);
  const { workload, written } = await rewrite(attempt, input, async (found) => {
    assertReplaceable(attempt, found, rolling);
    kept ??= await records.keep(input.keptName, input.container, keptOf(attempt, found));
    const now = withNodes(found.spec.template);
    const isDown = !rolling && isStopped(attempt, found);
    const back = isDown ? started(found, kept) : found;
    if (isSame(attempt, wantedTemplate(attempt, input, kept.template), now))
      return isDown && kept.replicas !== 0 ? back : undefined;
    assertOld(attempt, kept.template, found);
    if (!rolling && !isDown) throw runsAgain(attempt, found);
    const { name } = containerIn(cluster, instance, now);
    const change = changeOf(input);
    const { reference } = input.image;
    const template = withBrought(changedTemplate(now, name, change), { ...change, reference });
    return { ...back, spec: { ...back.spec, template } };
  });
  if (written)
    context.log(`${instanceTitle(instance)} is to run ${changeOf(input).image} from now on`);
  return { containerId: workload.metadata.uid, found: written ? 'done_now' : 'done_before' };
}

/** By its digest where it is known: a tag may mean another image on each node. */
function changeOf({ image, env, command }: Input) {
  return { image: image.digest ?? image.reference, env, command };
}

function wantedTemplate({ cluster, instance }: Attempt, input: Input, old: PodTemplate) {
  return changedTemplate(old, containerIn(cluster, instance, old).name, changeOf(input));
}

function isSame({ cluster, instance }: Attempt, one: PodTemplate, other: PodTemplate): boolean {
  return isSameContainer(
    containerIn(cluster, instance, one),
    containerIn(cluster, instance, other),
  );
}

/** What is changed is as it was when it was written down: nobody else has changed it since. */
function assertOld({ cluster, instance }: Attempt, old: PodTemplate, found: Workload): void {
  const before = containerIn(cluster, instance, old);
  const now = containerIn(cluster, instance, found.spec.template);
  const changed = differences(before, now);
  if (changed.length === 0) return;
  const who = managersOf(found, now.name, changed);
  throw drift(
    cluster,
    instanceTitle(instance),
    `${instanceTitle(instance)} was changed during the upgrade, in ${changed.join(', ')}` +
      (who.length === 0 ? '' : `, which ${who.join(' and ')} set`) +
      `: put back what was there (image ${before.image}), and see that nothing else changes it before the upgrade has ended`,
  );
}

/** Its data, and what was done while it was down, allow no old pod beside what comes. */
function runsAgain({ cluster, instance }: Attempt, found: Workload): LiftlockError {
  const title = instanceTitle(instance);
  return drift(
    cluster,
    title,
    `${title} was stopped, and ${lastWriter(found)} has started it again: see that nothing does, scale it to 0, and try again`,
  );
}

/** A rolling upgrade needs a controller that replaces pods by itself. */
function assertReplaceable(
  { cluster, instance }: Attempt,
  found: Workload,
  rolling: boolean,
): void {
  const title = instanceTitle(instance);
  const { paused, updateStrategy } = found.spec;
  const why =
    paused === true
      ? 'its rollouts are paused: kubectl rollout resume, or set spec.paused to false'
      : rolling && updateStrategy?.type === 'OnDelete'
        ? 'its updateStrategy is OnDelete, so that no pod is replaced by itself: give the component the strategy recreate'
        : rolling && (updateStrategy?.rollingUpdate?.partition ?? 0) > 0
          ? 'its updateStrategy has a partition, so that not all pods are replaced: set it to 0, or give the component the strategy recreate'
          : undefined;
  if (why === undefined) return;
  throw new LiftlockError('target_refused', `${title} on ${cluster.name} is not changed: ${why}`, {
    details: { target: cluster.name, container: title },
  });
}
