import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { Attempt } from './attempt.js';
import type { Cluster } from './cluster.js';

/** The record of a hop: nothing leads back there any more, or it is back. The workload itself is the same before and after. */
export async function removeRecord(
  cluster: Cluster,
  context: StepContext,
  input: ActionInput<'instance.remove-old'>,
): Promise<ActionOutput<'instance.remove-old'>> {
  const { records } = new Attempt(cluster, context, input);
  return { found: (await records.forget(input.keptName)) ? 'done_now' : 'nothing_to_do' };
}
