import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { Attempt } from './attempt.js';
import type { Cluster } from './cluster.js';

/** The records of a hop: nothing leads back there any more, or it is back. The workload itself is the same before and after. */
export async function removeRecords(
  cluster: Cluster,
  context: StepContext,
  input: ActionInput<'instance.remove-old'>,
): Promise<ActionOutput<'instance.remove-old'>> {
  const { records } = new Attempt(cluster, context, input);
  const [held, kept] = [await records.forgetHeld(), await records.forgetKept(input.keptName)];
  return { found: held || kept ? 'done_now' : 'nothing_to_do' };
}
