import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { Attempt } from './attempt.js';
import type { Cluster } from './cluster.js';
import { containerIn, instanceTitle } from './instance.js';
import { untilNoPods } from './pods-gone.js';
import { isStopped, keptOf, rewrite, stopped } from './scale.js';
import { isSameContainer } from './template.js';

type Output = ActionOutput<'instance.stop'>;

/** Ends all pods of the instance; how it was is written down before. */
export async function stop(
  cluster: Cluster,
  context: StepContext,
  input: ActionInput<'instance.stop'>,
): Promise<Output> {
  const { keptName, container } = input;
  if (keptName === undefined)
    throw new LiftlockError(
      'invalid_step',
      `nothing says where the record of ${container} is to be; make a new plan`,
    );
  const attempt = new Attempt(cluster, context, input);
  const { records, instance } = attempt;
  const before = await records.find(keptName);
  const { workload, written } = await rewrite(attempt, input, async (found) => {
    if (isStopped(attempt, found)) return undefined;
    if (before === undefined) await records.keep(keptName, container, keptOf(attempt, found));
    return stopped(found, attempt);
  });
  if (written) context.log(`${instanceTitle(instance)}: no pod of it is wanted any more`);
  await untilNoPods(attempt);
  const containerId = workload.metadata.uid;
  if (written) return { containerId, found: 'done_now' };
  return { containerId, found: before === undefined ? 'nothing_to_do' : 'done_before' };
}

/** Ends all pods of the new version, where there may be any. */
export async function stopNew(
  cluster: Cluster,
  context: StepContext,
  input: ActionInput<'instance.stop-new'>,
): Promise<Output> {
  const attempt = new Attempt(cluster, context, input);
  const kept = await attempt.records.find(input.keptName);
  if (kept === undefined) return { found: 'nothing_to_do' };
  const old = containerIn(cluster, attempt.instance, kept.template);
  const { workload, written } = await rewrite(attempt, input, (found) => {
    const now = containerIn(cluster, attempt.instance, found.spec.template);
    // it was never replaced
    if (isStopped(attempt, found) || isSameContainer(old, now)) return undefined;
    return stopped(found, attempt);
  });
  const containerId = workload.metadata.uid;
  if (!isStopped(attempt, workload)) return { containerId, found: 'nothing_to_do' };
  await untilNoPods(attempt);
  return { containerId, found: written ? 'done_now' : 'done_before' };
}
