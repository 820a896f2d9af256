import { isFinal, upgradeView, type UpgradeView } from '#contracts';
import { LiftlockError } from '#kernel';
import type { ApiClient } from '../api/client.js';
import { upgradePath } from '../api/paths.js';
import { listItems } from '../api/pages.js';

const NEWEST = 20;

/** The upgrade that was named; where none was, the newest that has not ended, else the newest of all. */
export async function pickUpgrade(client: ApiClient, id: string | undefined): Promise<UpgradeView> {
  if (id !== undefined) return client.get(upgradePath(id), upgradeView);
  const items = await listItems(client, '/v1/upgrades', upgradeView, NEWEST);
  const found = items.find(({ state }) => !isFinal(state)) ?? items[0];
  if (found === undefined)
    throw new LiftlockError(
      'not_found',
      'there is no upgrade yet: liftlock upgrade ENVIRONMENT APPLICATION RELEASE begins one',
    );
  return found;
}
