import { isDeepStrictEqual } from 'node:util';
import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { Attempt } from './attempt.js';
import type { Cluster } from './cluster.js';
import { instanceTitle } from './instance.js';
import { isStopped, rewrite, started } from './scale.js';
import { withNodes } from './template.js';

/**
 * The template exactly as it was written down, and as many pods as there were. `start` makes no difference: what did not run is as it was
 * when no pod of it, or none that was ready, is there again. What was not stopped, or scales by itself, has its number of pods left.
 */
export async function restoreOld(
  cluster: Cluster,
  context: StepContext,
  input: ActionInput<'instance.restore-old'>,
): Promise<ActionOutput<'instance.restore-old'>> {
  const attempt = new Attempt(cluster, context, input);
  const { records, instance } = attempt;
  const [kept, held] = [await records.kept(input.keptName), await records.held()];
  const before = kept ?? held;
  const { workload, written } = await rewrite(attempt, input, (found) => {
    // neither stopped nor changed by this upgrade
    if (before === undefined) return undefined;
    const template = kept?.template ?? withNodes(found.spec.template);
    const asBefore = { ...found, spec: { ...found.spec, template } };
    const isBack = isDeepStrictEqual(template, found.spec.template);
    if (!isStopped(attempt, found)) return isBack ? undefined : asBefore;
    if (isBack && before.replicas === 0) return undefined;
    return started(asBefore, before);
  });
  if (written) context.log(`${instanceTitle(instance)} is as it was before the upgrade`);
  await records.forgetHeld();
  const containerId = workload.metadata.uid;
  if (written) return { containerId, found: 'done_now' };
  return { containerId, found: kept === undefined ? 'nothing_to_do' : 'done_before' };
}
