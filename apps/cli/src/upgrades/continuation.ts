import { upgradeRequest, upgradeView, type UpgradeRequest } from '#contracts';
import type { ApiClient } from '../api/client.js';
import { upgradePath } from '../api/paths.js';
import { requestOf, type RequestOptions } from './request-options.js';

/** The request for what is left of an upgrade: as that one was asked for, where nothing else is said now. */
export async function continuationOf(
  client: ApiClient,
  id: string,
  options: RequestOptions,
): Promise<UpgradeRequest> {
  const before = await client.get(upgradePath(id), upgradeView);
  const { environment, application, release, policy, exclude } = before;
  const now = requestOf(environment, application, release, options);
  const said = Object.entries(now.policy).filter(([, value]) => value !== undefined);
  return upgradeRequest.parse({
    ...now,
    policy: { ...policy, ...Object.fromEntries(said) },
    exclude: now.exclude ?? exclude,
    continues: id,
  });
}
