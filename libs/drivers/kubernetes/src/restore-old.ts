import { isDeepStrictEqual } from 'node:util';
import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { Attempt } from './attempt.js';
import type { Cluster } from './cluster.js';
import { instanceTitle } from './instance.js';
import { isStopped, rewrite, started } from './scale.js';

/**
 * The template exactly as it was written down, and as many pods as there were. `start` makes no difference: what did not run has no pod in its
 * record, or one that was not ready, and is so again. What was never stopped keeps its number of pods, which an autoscaler may have changed.
 */
export async function restoreOld(
  cluster: Cluster,
  context: StepContext,
  input: ActionInput<'instance.restore-old'>,
): Promise<ActionOutput<'instance.restore-old'>> {
  const attempt = new Attempt(cluster, context, input);
  const kept = await attempt.records.find(input.keptName);
  const { workload, written } = await rewrite(attempt, input, (found) => {
    // neither stopped nor changed by this upgrade
    if (kept === undefined) return undefined;
    const { template, replicas } = kept;
    const asBefore = { ...found, spec: { ...found.spec, template } };
    const isBack = isDeepStrictEqual(template, found.spec.template);
    if (!isStopped(attempt, found)) return isBack ? undefined : asBefore;
    if (isBack && replicas === 0) return undefined;
    return started(asBefore, kept);
  });
  if (written) context.log(`${instanceTitle(attempt.instance)} is as it was before the upgrade`);
  const containerId = workload.metadata.uid;
  if (written) return { containerId, found: 'done_now' };
  return { containerId, found: kept === undefined ? 'nothing_to_do' : 'done_before' };
}
