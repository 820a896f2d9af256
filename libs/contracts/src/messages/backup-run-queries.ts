import { z } from 'zod';
import { dataConsistency, dataEngine, snapshotHooks } from '../actions/inputs.js';
import { backupRunId, name, seconds, upgradeId } from '../names.js';
import { stepTarget } from '../plan/step.js';
import { idempotencyKey } from '../upgrade/request.js';
import { backupKey } from './backup-queries.js';
import { query } from './define.js';

/** `<component>@<target>` */
const instance = z
  .string()
  .regex(
    /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?@[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
    'must be <component>@<target>',
  );

/** One instance's part of what a person asked for. */
const runItem = z.object({
  instance: z.string(),
  state: z.enum(['waiting', 'running', 'succeeded', 'failed']),
  /** The backup that is made, or restored from. */
  backup: z.string(),
  /** So far, of so many as are known by now. */
  doneBytes: z.number().int().min(0).optional(),
  totalBytes: z.number().int().min(0).optional(),
  files: z.number().int().min(0).optional(),
  location: z.string().optional(),
  warnings: z.array(z.string()).optional(),
  /** Why it failed, with the way out. */
  problem: z.string().optional(),
});

/** A backup, or a restore, that a person asked for outside of an upgrade. */
export const backupRun = z.object({
  /** Of what `create` makes also the set that its backups are in, as an upgrade's id is of others. */
  id: backupRunId,
  kind: z.enum(['create', 'restore']),
  environment: z.string(),
  application: z.string(),
  actor: z.string(),
  state: z.enum(['running', 'succeeded', 'failed']),
  startedAt: z.string(),
  endedAt: z.string().optional(),
  /** Folder on the backup service's machine, of a restore to one. */
  folder: z.string().optional(),
  items: z.array(runItem),
});
export type BackupRun = z.infer<typeof backupRun>;
export type BackupRunItem = z.infer<typeof runItem>;

const asked = {
  actor: z.string().min(1).max(200),
  idempotencyKey: idempotencyKey.optional(),
} as const;
const begun = z.object({ run: backupRun, created: z.boolean() });

/** What is to be backed up, by the names of its documents. */
export const createBackupRequest = z.strictObject({
  environment: name,
  application: name,
  component: name,
  /** One of the targets that the component is on; default: each of this site. */
  target: name.optional(),
});
export type CreateBackupRequest = z.infer<typeof createBackupRequest>;

/** Begins to back up, and answers at once: how far it is, `get-backup-run` says. */
export const createBackup = query('create-backup', {
  from: ['gateway'],
  to: 'backup',
  perSite: true,
  data: z.object({ request: createBackupRequest, ...asked }),
  reply: begun,
  timeoutSeconds: 30,
});

export const restoreBackupRequest = z.strictObject({
  /** A folder on the backup service's machine, empty or not there yet; or the instance that it is of. */
  to: z.union([
    z.strictObject({ folder: z.string().startsWith('/').max(4_000) }),
    z.strictObject({ instance }),
  ]),
});
export type RestoreBackupRequest = z.infer<typeof restoreBackupRequest>;

/** Begins to restore, and answers at once. */
export const restoreBackup = query('restore-backup', {
  from: ['gateway'],
  to: 'backup',
  perSite: true,
  data: z.object({ ...backupKey.shape, request: restoreBackupRequest, ...asked }),
  reply: begun,
  timeoutSeconds: 30,
});

export const getBackupRun = query('get-backup-run', {
  from: ['gateway'],
  to: 'backup',
  perSite: true,
  data: z.object({ id: backupRunId }),
  reply: backupRun,
});

/** Where an application's data lies, as its documents say. */
export const instancesWithData = query('instances-with-data', {
  from: ['backup'],
  to: 'planner',
  data: z.object({
    environment: name,
    application: name,
    component: name,
    target: name.optional(),
  }),
  reply: z.object({
    items: z.array(
      z.object({
        instance: z.string(),
        target: stepTarget,
        container: z.string(),
        keptName: z.string(),
        /** Of the backup service's machine, that the paths are below. */
        folder: z.string().optional(),
        paths: z.array(z.string()),
        consistency: dataConsistency,
        hooks: snapshotHooks.optional(),
        keepAside: z.boolean().optional(),
        engine: dataEngine.optional(),
        stopTimeoutSeconds: seconds.optional(),
      }),
    ),
  }),
});
export type InstanceWithData = z.infer<typeof instancesWithData.reply>['items'][number];

/** Locks instances, and with them their application, against upgrades, until `let-go-instances`. Again changes nothing. */
export const holdInstances = query('hold-instances', {
  from: ['backup'],
  to: 'coordinator',
  data: z.object({
    id: backupRunId,
    environment: name,
    application: name,
    instances: z.array(z.object({ instance: z.string(), target: z.string() })).min(1),
  }),
  reply: z.object({
    /** Who holds one of them already: then nothing is locked. */
    heldBy: z
      .object({ instance: z.string(), holder: z.union([upgradeId, backupRunId]) })
      .optional(),
  }),
});

export const letGoInstances = query('let-go-instances', {
  from: ['backup'],
  to: 'coordinator',
  data: z.object({ id: backupRunId }),
  reply: z.object({}),
});
