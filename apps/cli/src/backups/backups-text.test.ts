import { expect, test } from 'vitest';
import type { BackupView, PrunablePage } from '#contracts';
import { listing } from './run-list.js';
import { dryRun } from './run-prune.js';
import { described } from './run-show.js';

const NOW = new Date('2026-03-31T12:00:00Z');
const backup = {
  backup: 'h1-web@one',
  upgrade: 'upg_01jabcdefghjkmnpqrstvwxyz0',
  environment: 'prod',
  application: 'shop',
  instance: 'web@one',
  location: '/srv/backups/prod/shop/u/h1-web@one',
  createdAt: '2026-03-21T12:00:00.000Z',
  files: 12,
  bytes: 4_096,
  archiveBytes: 2_048,
  archiveSha256: `sha256:${'a'.repeat(64)}`,
  consistency: 'stopped',
};

test('a backup that is gone, half restored or corrupt is never listed as if all were well', () => {
  const states = [
    { present: false },
    { incompleteSince: backup.createdAt },
    { verification: { startedAt: backup.createdAt, state: 'corrupt' as const, bytes: 1 } },
    { present: true },
  ].map((more) => listing([{ ...backup, ...more }], NOW).split('\n')[1]);
  expect(
    states.map((line) => /missing|half restored|corrupt|not verified/.exec(line ?? '')?.[0]),
  ).toEqual(['missing', 'half restored', 'corrupt', 'not verified']);
});

test('a dry run says that nothing was deleted, why each may go or stays, and that not all is shown', () => {
  const page: PrunablePage = {
    items: [{ ...backup, release: 'shop-2', because: 'no rule keeps it' }],
    kept: [{ ...backup, backup: 'h2-web@one', because: 'it is the last good one of web@one' }],
    totals: { items: 7, kept: 1, archiveBytes: 14_336 },
  };
  const text = dryRun(page, NOW);
  expect(text).toMatch(/may go .*h1-web@one .*shop-2 .*10 d .*no rule keeps it/);
  expect(text).toMatch(/stays .*h2-web@one .*unknown .*the last good one/);
  expect(text).toContain('7 may go (14.0 KiB), 1 stay (not all are shown: --limit)');
  expect(text).toContain('Nothing was deleted: --delete does it.');
  expect(dryRun({ items: [], kept: [], totals: { items: 0, kept: 0, archiveBytes: 0 } }, NOW)).toBe(
    'none\n',
  );
});

test('what is shown of an encrypted one says whose keys open it', () => {
  const manifest: BackupView['manifest'] = {
    ...{ version: 4, digest: 'sha256:1', stepId: 'h1', token: 1, target: 'one', container: 'web' },
    ...{ containerId: 'c', paths: ['/data'], counts: { file: 1 } },
    archive: { file: 'data.tar.zst.age', format: 'tar.zst', tools: {} },
    encryptedTo: ['age1abc', 'age1def'],
  };
  const view: BackupView = { ...backup, present: true, manifest };
  expect(described(view)).toContain('encrypted to   age1abc, age1def\n');
});

test('what is shown of one names its problem first of all that may be missing', () => {
  const view: BackupView = { ...backup, present: true, problem: 'manifest.json is not JSON' };
  expect(described(view)).toContain('problem        manifest.json is not JSON\n');
  expect(described(view)).not.toContain('undefined');
});
