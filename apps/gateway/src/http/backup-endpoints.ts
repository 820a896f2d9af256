import { z } from 'zod';
import {
  backupName,
  backupPage,
  backupView,
  listedBackup,
  name,
  prunablePage,
  upgradeId,
} from '#contracts';
import { EVERYBODY, limit, type EndpointContract } from './endpoint-contract.js';

/** A backup lies at one site only: that is where it is asked for. */
const site = name.default('main');
const one = {
  params: z.object({ upgrade: upgradeId, backup: backupName }),
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
      upgrade: upgradeId.optional(),
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
