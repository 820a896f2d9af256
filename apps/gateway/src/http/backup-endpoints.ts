import { z } from 'zod';
import {
  backupName,
  backupPage,
  backupView,
  listedBackup,
  backupRun,
  backupRunId,
  backupSetId,
  createBackupRequest,
  idempotencyKey,
  name,
  prunablePage,
  restoreBackupRequest,
} from '#contracts';
import { EVERYBODY, limit, type EndpointContract } from './endpoint-contract.js';

/** A backup lies at one site only: that is where it is asked for. */
const site = name.default('main');
const one = {
  params: z.object({ upgrade: backupSetId, backup: backupName }),
  query: z.strictObject({ site }),
};
/** A rule of retention, as the contract's `retention` has it. */
const rule = (most: number) => z.coerce.number().int().min(1).max(most).optional();

export const backupEndpoints = {
  listBackups: {
    method: 'GET',
    path: '/v1/backups',
    summary: 'Snapshots of data that were made, at one site',
    tag: 'backups',
    roles: EVERYBODY,
    query: z.strictObject({
      environment: name.optional(),
      application: name.optional(),
      upgrade: backupSetId.optional(),
      site,
      limit,
    }),
    status: 200,
    reply: backupPage,
  },
  prunableBackups: {
    method: 'GET',
    path: '/v1/backups/prunable',
    summary: 'Of these, what a retention would take, and why the others stay; nothing is deleted',
    tag: 'backups',
    roles: EVERYBODY,
    query: z.strictObject({
      environment: name.optional(),
      application: name.optional(),
      keepLast: rule(10_000),
      keepDays: rule(36_500),
      keepReleases: rule(10_000),
      site,
      limit,
    }),
    status: 200,
    reply: prunablePage,
  },
  getBackup: {
    method: 'GET',
    path: '/v1/backups/:upgrade/:backup',
    summary: 'One backup, with what its manifest says of it',
    tag: 'backups',
    roles: EVERYBODY,
    ...one,
    status: 200,
    reply: backupView,
  },
  createBackup: {
    method: 'POST',
    path: '/v1/backups',
    summary:
      'Begin to back up a component, outside of an upgrade; what is stopped or paused for it goes on as soon as it was read',
    tag: 'backups',
    roles: ['operator'],
    query: z.strictObject({ site }),
    headers: z.object({ 'idempotency-key': idempotencyKey.optional() }),
    body: createBackupRequest,
    status: 202,
    reply: backupRun,
    also: { 200: 'The Idempotency-Key is known: what it began' },
  },
  restoreBackup: {
    method: 'POST',
    path: '/v1/backups/:upgrade/:backup/restore',
    summary:
      'Begin to restore a backup onto its instance, while nothing runs on the data; an admin also to an empty folder of the backup service’s machine',
    tag: 'backups',
    roles: ['operator'],
    ...one,
    headers: z.object({ 'idempotency-key': idempotencyKey.optional() }),
    body: restoreBackupRequest,
    status: 202,
    reply: backupRun,
    also: { 200: 'The Idempotency-Key is known: what it began' },
  },
  getBackupRun: {
    method: 'GET',
    path: '/v1/backup-runs/:id',
    summary: 'How far a backup or a restore is that was asked for outside of an upgrade',
    tag: 'backups',
    roles: EVERYBODY,
    params: z.object({ id: backupRunId }),
    query: z.strictObject({ site }),
    status: 200,
    reply: backupRun,
  },
  verifyBackup: {
    method: 'POST',
    path: '/v1/backups/:upgrade/:backup/verify',
    summary: 'Begin to read all of it back, or join whoever does; how far it is, the backup says',
    tag: 'backups',
    roles: ['operator'],
    ...one,
    status: 202,
    reply: listedBackup,
  },
  deleteBackup: {
    method: 'DELETE',
    path: '/v1/backups/:upgrade/:backup',
    summary:
      'Delete a backup; an instance keeps its last good one, and a rollback what it may need',
    tag: 'backups',
    roles: ['operator'],
    ...one,
    status: 200,
    reply: listedBackup,
  },
} as const satisfies Readonly<Record<string, EndpointContract>>;
