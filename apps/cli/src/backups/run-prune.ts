import { listedBackup, prunablePage, type JudgedBackup, type PrunablePage } from '#contracts';
import { LiftlockError } from '#kernel';
import { withSession, type ApiOptions, type Session } from '../commands/api-session.js';
import { writeJson, type Output } from '../output.js';
import { age, bytes, table } from '../show/text.js';
import { backupPath } from './run-show.js';

export interface PruneOptions extends ApiOptions {
  readonly keepLast?: number;
  readonly keepDays?: number;
  readonly keepReleases?: number;
  readonly environment?: string;
  readonly application?: string;
  readonly site?: string;
  readonly limit: number;
  readonly delete: boolean;
}

/** @returns whether all that was to be deleted is */
export async function runPrune(options: PruneOptions, output: Output): Promise<boolean> {
  return withSession(output, options, async (session) => {
    const { keepLast, keepDays, keepReleases, environment, application, site, limit } = options;
    const page = await session.client.get('/v1/backups/prunable', prunablePage, {
      ...{ keepLast, keepDays, keepReleases, environment, application, site, limit },
    });
    if (options.delete) return deleteAll(session, page.items, site);
    if (session.format === 'json') writeJson(output, page);
    else output.write(dryRun(page, new Date()));
    return true;
  });
}

/** One after another; what fails is told, and the rest goes on. */
async function deleteAll(
  { client, output, format }: Session,
  items: readonly JudgedBackup[],
  site: string | undefined,
): Promise<boolean> {
  const outcomes: object[] = [];
  let whole = true;
  for (const { upgrade, backup, location } of items) {
    try {
      await client.send('DELETE', backupPath(upgrade, backup), listedBackup, { query: { site } });
      outcomes.push({ upgrade, backup, outcome: 'deleted' });
      if (format === 'text') output.write(`${location} deleted\n`);
    } catch (thrown) {
      const error = LiftlockError.from(thrown);
      // deleted by somebody else meanwhile
      if (error.code === 'not_found') continue;
      whole = false;
      outcomes.push({ upgrade, backup, outcome: 'kept', error: error.toShape() });
      if (format === 'text') output.writeError(`${error.message}\n`);
    }
  }
  if (format === 'json') writeJson(output, outcomes);
  else if (items.length === 0) output.write('none\n');
  return whole;
}

export function dryRun({ items, kept, totals }: PrunablePage, now: Date): string {
  const rows = [
    ...items.map((one) => ['may go', one] as const),
    ...kept.map((one) => ['stays', one] as const),
  ];
  if (rows.length === 0) return 'none\n';
  const left =
    items.length < totals.items || kept.length < totals.kept ? ' (not all are shown: --limit)' : '';
  return (
    table([
      ['', 'INSTANCE', 'UPGRADE', 'BACKUP', 'RELEASE', 'SIZE', 'AGE', 'BECAUSE'],
      ...rows.map(([what, one]) => [
        what,
        `${one.environment}/${one.application} ${one.instance}`,
        one.upgrade,
        one.backup,
        one.release ?? 'unknown',
        bytes(one.archiveBytes),
        age(one.createdAt, now),
        one.because,
      ]),
    ]) +
    `${totals.items} may go (${bytes(totals.archiveBytes)}), ${totals.kept} stay${left}. ` +
    `${totals.items === 0 ? 'Nothing to delete.' : 'Nothing was deleted: --delete does it.'}\n`
  );
}
