import { plan, planEstimate, type Plan, type UpgradeRequest } from '#contracts';
import { LiftlockError } from '#kernel';
import type { ApiClient } from '../api/client.js';
import { estimateText } from '../show/estimate-text.js';
import { printable } from '../show/text.js';

/** The plan that an upgrade would have now, or why there is nothing to do. */
export async function previewPlan(
  client: ApiClient,
  request: UpgradeRequest,
): Promise<{ readonly plan: Plan } | { readonly nothingToDo: string }> {
  try {
    return { plan: await client.send('POST', '/v1/plans', plan, { body: request }, true) };
  } catch (error) {
    if (error instanceof LiftlockError && error.details?.['nothingToDo'] === true)
      return { nothingToDo: error.message };
    throw error;
  }
}

/** How long a plan may take, by earlier runs, in a line. That nobody can tell is no reason not to go on. */
export async function estimateLine(
  client: ApiClient,
  digest: string,
  { continues }: Pick<UpgradeRequest, 'continues'> = {},
): Promise<string> {
  try {
    const path = `/v1/plans/${digest}/estimate`;
    return estimateText(await client.get(path, planEstimate, { continues }));
  } catch (thrown) {
    return `no estimate: ${printable(LiftlockError.from(thrown).message)}`;
  }
}
