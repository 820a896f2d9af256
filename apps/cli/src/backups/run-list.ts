import { backupPage, type ListedBackup } from '#contracts';
import { withSession, type ApiOptions } from '../commands/api-session.js';
import { writeJson, type Output } from '../output.js';
import { age, bytes, table } from '../show/text.js';
import { stateText } from './state-text.js';

export interface ListOptions extends ApiOptions {
  readonly environment?: string;
  readonly application?: string;
  readonly upgrade?: string;
  readonly site?: string;
  readonly limit: number;
}

export async function runList(
  { environment, application, upgrade, site, limit, ...options }: ListOptions,
  output: Output,
): Promise<void> {
  await withSession(output, options, async ({ client, format }) => {
    const query = { environment, application, upgrade, site, limit };
    const { items } = await client.get('/v1/backups', backupPage, query);
    if (format === 'json') writeJson(output, items);
    else output.write(listing(items, new Date()));
  });
}

export function listing(items: readonly ListedBackup[], now: Date): string {
  if (items.length === 0) return 'none\n';
  return table([
    [
      'ENVIRONMENT',
      'APPLICATION',
      'UPGRADE',
      'BACKUP',
      'FILES',
      'SIZE',
      'ENGINE',
      'AGE',
      'STATE',
      'VERIFIED',
      'LOCATION',
    ],
    ...items.map((one) => [
      one.environment,
      one.application,
      one.upgrade,
      one.backup,
      String(one.files),
      bytes(one.bytes),
      one.engine ?? 'archive',
      age(one.createdAt, now),
      stateText(one),
      one.verification?.finishedAt === undefined ? '-' : age(one.verification.finishedAt, now),
      one.location,
    ]),
  ]);
}
