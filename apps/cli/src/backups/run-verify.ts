import { setTimeout as delay } from 'node:timers/promises';
import { backupPage, backupView, listedBackup, type ListedBackup } from '#contracts';
import { LiftlockError } from '#kernel';
import { withSession, type Session } from '../commands/api-session.js';
import { writeJson, type Output } from '../output.js';
import { bytes } from '../show/text.js';
import { backupPath, type SiteOptions } from './run-show.js';

/** Milliseconds between two questions how far it is. */
const LOOK_MS = 1_000;

/** @returns whether all are whole */
export async function runVerify(
  upgrade: string,
  backup: string | undefined,
  { site, ...options }: SiteOptions,
  output: Output,
): Promise<boolean> {
  return withSession(output, options, async (session) => {
    const names = backup === undefined ? await namesOf(session, upgrade, site) : [backup];
    const found: ListedBackup[] = [];
    // one after another: they come from one disk
    for (const name of names) {
      const done = await verifyOne(session, backupPath(upgrade, name), site);
      found.push(done);
      if (session.format === 'text') output.write(`${outcomeOf(done)}\n`);
    }
    if (session.format === 'json') writeJson(output, found);
    return found.every(({ verification }) => verification?.state === 'whole');
  });
}

async function namesOf(
  { client }: Session,
  upgrade: string,
  site: string | undefined,
): Promise<string[]> {
  const { items } = await client.get('/v1/backups', backupPage, { upgrade, site, limit: 500 });
  if (items.length === 0)
    throw new LiftlockError(
      'not_found',
      `there is no backup of ${upgrade}: liftlock backups list shows what there is`,
    );
  return items.map(({ backup }) => backup);
}

/** Begins it, and looks until it has ended. */
async function verifyOne(
  { client, output, format, signal }: Session,
  path: string,
  site: string | undefined,
): Promise<ListedBackup> {
  // whoever asks twice joins the first
  let now = await client.send('POST', `${path}/verify`, listedBackup, { query: { site } }, true);
  while (now.verification?.state === 'running') {
    if (format === 'text' && output.isErrorTerminal)
      output.writeError(
        `\r${now.backup}: ${bytes(now.verification.bytes)} of ${bytes(now.archiveBytes)} read \x1b[K`,
      );
    await delay(LOOK_MS, undefined, { signal });
    now = await client.get(path, backupView, { site });
  }
  if (format === 'text' && output.isErrorTerminal) output.writeError('\r\x1b[K');
  return now;
}

function outcomeOf({ location, archiveBytes, verification }: ListedBackup): string {
  switch (verification?.state) {
    case 'whole':
      return `${location} is whole: ${bytes(archiveBytes)} read back`;
    case 'corrupt':
      return `${location} is CORRUPT: ${verification.problem ?? 'it is not as it was written'}`;
    default:
      return `${location} was not read to its end: the backup service was stopped; ask again`;
  }
}
