import type { z } from 'zod';
import { QUERIES, type QueryName } from '#contracts';
import * as sample from './golden-samples.js';

export interface Exchange<N extends QueryName> {
  readonly request: z.input<(typeof QUERIES)[N]['data']>;
  readonly reply: z.input<(typeof QUERIES)[N]['reply']>;
}

const listedBackup = {
  backup: `${sample.UPGRADE}.guestbook@docker-1`,
  upgrade: sample.UPGRADE,
  environment: 'prod',
  application: 'guestbook',
  instance: 'guestbook@docker-1',
  location: 'guestbook/guestbook@docker-1.tar.zst',
  createdAt: sample.AT,
  files: 12,
  bytes: 40_960,
  archiveBytes: 8_192,
  archiveSha256: sample.ARCHIVE_SHA256,
  consistency: 'stopped',
};
const backupKey = { upgrade: sample.UPGRADE, backup: listedBackup.backup };
const backupRunSample = {
  id: sample.UPGRADE.replace('upg_', 'bak_'),
  kind: 'create' as const,
  environment: 'prod',
  application: 'guestbook',
  actor: 'robin',
  state: 'failed' as const,
  startedAt: sample.AT,
  endedAt: sample.AT,
  items: [
    {
      instance: 'guestbook@docker-1',
      state: 'succeeded' as const,
      backup: 'guestbook@docker-1',
      doneBytes: 8_192,
      totalBytes: 8_192,
      files: 12,
      location: listedBackup.location,
      warnings: ['it is fuzzy'],
    },
    {
      instance: 'guestbook@docker-2',
      state: 'failed' as const,
      backup: 'guestbook@docker-2',
      problem: 'the target cannot be reached',
    },
  ],
};
/** With all that may be known of one. */
const knownBackup = {
  ...listedBackup,
  fuzzy: 1,
  present: true,
  verification: {
    startedAt: sample.AT,
    state: 'corrupt',
    bytes: 8_192,
    finishedAt: sample.AT,
    problem: 'data.tar.zst has another sha256 than when it was written',
  },
  incompleteSince: sample.AT,
  restoredAt: sample.AT,
} as const;

type Of =
  | 'list-backups'
  | 'get-backup'
  | 'verify-backup'
  | 'prunable-backups'
  | 'delete-backup'
  | 'create-backup'
  | 'restore-backup'
  | 'get-backup-run'
  | 'instances-with-data'
  | 'hold-instances'
  | 'let-go-instances'
  | 'ends-of-upgrades';

export const BACKUP_SAMPLES: { readonly [N in Of]: Exchange<N> } = {
  'list-backups': {
    request: { environment: 'prod', application: 'guestbook', upgrade: sample.UPGRADE },
    reply: { items: [listedBackup] },
  },
  'get-backup': {
    request: backupKey,
    reply: {
      ...knownBackup,
      manifest: {
        version: 2,
        digest: sample.PLAN_DIGEST,
        stepId: sample.STEP,
        token: 3,
        target: 'docker-1',
        container: 'guestbook',
        containerId: 'e5'.repeat(32),
        paths: ['/data'],
        archive: { file: 'data.tar.zst', format: 'tar.zst', tools: { tar: 'tar (GNU tar) 1.35' } },
        counts: { file: 12, directory: 3 },
        image: {
          reference: 'guestbook:1.0.0',
          id: sample.IMAGE_ID,
          digests: [`registry.example.com/guestbook@${sample.IMAGE_ID}`],
        },
        mounts: [{ destination: '/data', kind: 'volume', source: 'guestbook-data' }],
        fuzzy: { entries: 1, some: ['/data/log'] },
        quiesced: {
          ...{ how: 'stopped', ran: [], startedAt: sample.AT, endedAt: sample.AT },
          hooks: { before: 'freeze', after: 'thaw' },
        },
      },
      problem: 'manifest.json is not as it was written',
    },
  },
  'verify-backup': { request: backupKey, reply: knownBackup },
  'prunable-backups': {
    request: {
      environment: 'prod',
      application: 'guestbook',
      keepLast: 3,
      keepDays: 30,
      keepReleases: 2,
    },
    reply: {
      items: [{ ...knownBackup, release: 'guestbook-2.0.0', because: 'no rule keeps it' }],
      kept: [{ ...listedBackup, because: 'it is the last good one' }],
      totals: { items: 1, kept: 1, archiveBytes: 8_192 },
    },
  },
  'delete-backup': { request: backupKey, reply: knownBackup },
  'create-backup': {
    request: {
      request: {
        environment: 'prod',
        application: 'guestbook',
        component: 'guestbook',
        target: 'docker-1',
      },
      actor: 'robin',
      idempotencyKey: 'nightly-1',
    },
    reply: { run: backupRunSample, created: true },
  },
  'restore-backup': {
    request: {
      ...backupKey,
      request: { to: { instance: 'guestbook@docker-1' } },
      actor: 'robin',
      idempotencyKey: 'back-1',
    },
    reply: { run: { ...backupRunSample, kind: 'restore', folder: '/srv/look' }, created: false },
  },
  'get-backup-run': { request: { id: backupRunSample.id }, reply: backupRunSample },
  'instances-with-data': {
    request: {
      environment: 'prod',
      application: 'guestbook',
      component: 'guestbook',
      target: 'docker-1',
    },
    reply: {
      items: [
        {
          instance: 'guestbook@docker-1',
          target: {
            name: 'docker-1',
            driver: 'docker',
            site: 'main',
            endpoint: 'unix:///var/run/docker.sock',
          },
          container: 'guestbook',
          keptName: 'guestbook-liftlock-old',
          paths: ['/data'],
          consistency: 'paused',
          hooks: {
            before: { type: 'command', command: ['freeze'] },
            after: { type: 'command', command: ['thaw'] },
          },
          keepAside: false,
          stopTimeoutSeconds: 30,
        },
      ],
    },
  },
  'hold-instances': {
    request: {
      id: backupRunSample.id,
      environment: 'prod',
      application: 'guestbook',
      instances: [{ instance: 'guestbook@docker-1', target: 'docker-1' }],
    },
    reply: { heldBy: { instance: 'guestbook@docker-1', holder: sample.UPGRADE } },
  },
  'let-go-instances': { request: { id: backupRunSample.id }, reply: {} },
  'ends-of-upgrades': {
    request: { upgrades: [sample.UPGRADE] },
    reply: { items: [{ upgrade: sample.UPGRADE, release: 'guestbook-2.0.0', ended: true }] },
  },
};
