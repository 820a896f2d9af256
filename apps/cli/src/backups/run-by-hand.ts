import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { backupRun, type BackupRun, type BackupRunItem } from '#contracts';
import { LiftlockError } from '#kernel';
import { withSession, type Session } from '../commands/api-session.js';
import { writeJson, type Output } from '../output.js';
import { bytes, printable } from '../show/text.js';
import { backupPath, type SiteOptions } from './run-show.js';

/** Milliseconds between two questions how far it is. */
const LOOK_MS = 1_000;

export interface ByHandOptions extends SiteOptions {
  readonly key?: string;
}

/**
 * Backs up a component, and waits for the end.
 * @param what `<environment>/<application>/<component>[/<target>]`
 * @returns whether all of it is backed up
 */
export async function runCreate(
  what: string,
  options: ByHandOptions,
  output: Output,
): Promise<boolean> {
  const body = requestOf(what);
  return withSession(output, options, (session) =>
    follow(session, '/v1/backups', body, options, ({ state, items }) => {
      if (state === 'running') return;
      for (const item of items) output.write(`${printable(createdText(item))}\n`);
    }),
  );
}

/** @param to an absolute path on the backup service's machine, or `<component>@<target>` */
export async function runRestore(
  upgrade: string,
  backup: string,
  { to, ...options }: ByHandOptions & { readonly to: string },
  output: Output,
): Promise<boolean> {
  const path = `${backupPath(upgrade, backup)}/restore`;
  const body = { to: to.startsWith('/') ? { folder: to } : { instance: to } };
  return withSession(output, options, (session) =>
    follow(session, path, body, options, ({ state, items }) => {
      if (state === 'running') return;
      for (const item of items) output.write(`${printable(restoredText(item, to))}\n`);
    }),
  );
}

/** @throws LiftlockError `invalid_request` */
export function requestOf(what: string): {
  environment: string;
  application: string;
  component: string;
  target?: string;
} {
  const [environment, application, component, target, ...more] = what.split('/');
  if (!environment || !application || !component || target === '' || more.length > 0) {
    throw new LiftlockError(
      'invalid_request',
      `${what} names no component: write <environment>/<application>/<component>, and /<target> for one of its instances`,
    );
  }
  return { environment, application, component, ...(target === undefined ? {} : { target }) };
}

/** Whoever is interrupted does not end it: it goes on in the service. */
async function follow(
  { client, output, format, signal }: Session,
  path: string,
  body: object,
  { site, key = randomUUID() }: ByHandOptions,
  tell: (run: BackupRun) => void,
): Promise<boolean> {
  // with a key it may be sent twice
  const headers = { 'idempotency-key': key };
  let run = await client.send('POST', path, backupRun, { query: { site }, body, headers }, true);
  while (run.state === 'running') {
    if (format === 'text' && output.isErrorTerminal) output.writeError(progressText(run));
    await delay(LOOK_MS, undefined, { signal });
    run = await client.get(`/v1/backup-runs/${run.id}`, backupRun, { site });
  }
  if (format === 'text' && output.isErrorTerminal) output.writeError('\r\x1b[K');
  if (format === 'json') writeJson(output, run);
  else tell(run);
  return run.state === 'succeeded';
}

function progressText({ items }: BackupRun): string {
  const now = items.find(({ state }) => state === 'running') ?? items[0];
  if (now === undefined) return '';
  const { instance, doneBytes = 0, totalBytes = 0 } = now;
  return `\r${instance}: ${bytes(doneBytes)} of ${bytes(totalBytes)} \x1b[K`;
}

export function createdText({
  instance,
  state,
  files,
  location,
  warnings,
  problem,
}: BackupRunItem): string {
  if (state !== 'succeeded') return `${instance} is NOT backed up: ${problem ?? state}`;
  const known = (warnings ?? []).map((warning) => `; ${warning}`).join('');
  return `${instance} is backed up: ${files ?? 0} files, ${location ?? ''}${known}`;
}

export function restoredText(
  { backup, state, files, warnings, problem }: BackupRunItem,
  to: string,
): string {
  if (state !== 'succeeded') return `${backup} is NOT restored to ${to}: ${problem ?? state}`;
  const known = (warnings ?? []).map((warning) => `; ${warning}`).join('');
  return `${backup} is restored to ${to}: ${files ?? 0} files, compared entry by entry${known}`;
}
