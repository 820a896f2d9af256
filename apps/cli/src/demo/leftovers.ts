import { isFinal, upgradePage, upgradeView, type UpgradeView } from '#contracts';
import { LiftlockError, waitFor } from '#kernel';
import type { ApiClient } from '../api/client.js';
import { upgradePath } from '../api/paths.js';

/** Milliseconds for an upgrade of an earlier demo to come to its end. */
const SETTLE_MS = 180_000;
const REASON = 'the demo begins anew';

/**
 * A demo that was cut off may have left an upgrade under way, which holds the guest book. It is ended: cancelled, rolled back, or,
 * where it waits for a person, without the steps that it waits for.
 */
export async function endLeftovers(
  client: ApiClient,
  environment: string,
  print: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { items } = await client.get('/v1/upgrades', upgradePage, { environment });
  for (const { id, state } of items.filter((one) => !isFinal(one.state))) {
    print(`an earlier demo left ${id} (${state}): ending it`);
    await waitFor(() => ended(client, id), {
      what: `the end of ${id}, which an earlier demo left`,
      deadlineMs: SETTLE_MS,
      everyMs: 500,
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

/** Pushes it towards its end by one decision; `true` once it is there. */
async function ended(client: ApiClient, id: string): Promise<boolean> {
  const view = await client.get(upgradePath(id), upgradeView);
  if (isFinal(view.state)) return true;
  for (const [action, body] of decisionsFor(view)) {
    try {
      await client.send('POST', `${upgradePath(id)}/${action}`, upgradeView, {
        body: { reason: REASON, ...body },
      });
      break;
    } catch (error) {
      // it has moved on in the meantime, or does not go that way: the next look or the next decision may do
      if (!(error instanceof LiftlockError) || error.code !== 'conflict') throw error;
    }
  }
  return false;
}

type Decision = readonly [action: string, body: object];

function decisionsFor(view: UpgradeView): Decision[] {
  switch (view.state) {
    case 'needs_attention':
      return [
        ['rollback', {}],
        ...view.attention.map(({ step }): Decision => ['skip', { step }]),
        ['retry', {}],
      ];
    case 'baking':
      return [['rollback', {}]];
    case 'rolling_back':
      return [];
    default:
      return [['cancel', {}]];
  }
}
