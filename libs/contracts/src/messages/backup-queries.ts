import { z } from 'zod';
import { backupSetId, dottedName, name, sha256, upgradeId } from '../names.js';
import { dataEngine } from '../actions/inputs.js';
import { query } from './define.js';

/** A backup's name within its upgrade, as `data.snapshot` has it. */
export const backupName = z
  .string()
  .regex(/^(?!\.{1,2}$)[\w@.-]{1,200}$/, 'must be of letters, digits, _, @, . and -');

/** Which one: names are the plan's, and plans look alike, so that the upgrade belongs to it. */
export const backupKey = z.object({ upgrade: backupSetId, backup: backupName });
export type BackupKeyData = z.infer<typeof backupKey>;

/** Reading all of a backup back, against what was written. */
const verification = z.object({
  startedAt: z.string(),
  /** `stopped`: whoever read it is gone, and nobody knows. */
  state: z.enum(['running', 'whole', 'corrupt', 'stopped']),
  /** Of the archive's, that were read so far. */
  bytes: z.number().int().min(0),
  finishedAt: z.string().optional(),
  /** What is wrong with it, and with which file; while it is read once more, what was found before. */
  problem: z.string().optional(),
});
export type BackupVerification = z.infer<typeof verification>;

/** What the backup service knows of one backup. */
const listedBackup = z.object({
  backup: z.string(),
  /** The upgrade that it was made for; of one that was asked for by itself that request (`bak_…`). */
  upgrade: backupSetId,
  environment: z.string(),
  application: z.string(),
  instance: z.string(),
  location: z.string(),
  createdAt: z.string(),
  files: z.number().int(),
  bytes: z.number().int(),
  archiveBytes: z.number().int(),
  archiveSha256: z.string(),
  /** What keeps the archive; not there: `archive`. */
  engine: dataEngine.optional(),
  consistency: z.string(),
  /** So many files and folders changed while they were read: they need not fit together. Not there: none. */
  fuzzy: z.number().int().min(1).optional(),
  /** Whether its folder is where it was; not there: nobody looked. */
  present: z.boolean().optional(),
  /** The last one; not there: it was never read back since it was written. */
  verification: verification.optional(),
  /** A restore from it began then and was not seen to end: the data is neither old nor new. */
  incompleteSince: z.string().optional(),
  restoredAt: z.string().optional(),
});
export type ListedBackup = z.infer<typeof listedBackup>;

const place = {
  environment: name.optional(),
  application: name.optional(),
} as const;

export const listBackups = query('list-backups', {
  from: ['gateway'],
  to: 'backup',
  perSite: true,
  data: z.object({
    ...place,
    upgrade: backupSetId.optional(),
    limit: z.number().int().min(1).max(500).default(100),
  }),
  /** The newest first. */
  reply: z.object({ items: z.array(listedBackup) }),
});

/** What its manifest says, but for the entries: of those there may be more than a message holds. */
const manifestSummary = z.object({
  version: z.number().int(),
  digest: sha256,
  stepId: z.string(),
  token: z.number().int(),
  target: z.string(),
  container: z.string(),
  containerId: z.string(),
  paths: z.array(z.string()),
  /** Of the backup service's machine, that the paths are below. */
  folder: z.string().optional(),
  archive: z.object({
    file: z.string(),
    format: z.string(),
    tools: z.record(z.string(), z.string()),
    /** Where restic has it. */
    restic: z
      .object({ repository: z.string(), snapshot: z.string(), addedBytes: z.number().int() })
      .optional(),
  }),
  /** Public keys of whoever can open archive and entries; left out: they are not encrypted. */
  encryptedTo: z.array(z.string()).optional(),
  /** Entries by their type. */
  counts: z.record(z.string(), z.number().int()),
  image: z
    .object({ reference: z.string(), id: z.string(), digests: z.array(z.string()) })
    .optional(),
  mounts: z
    .array(z.object({ destination: z.string(), kind: z.string(), source: z.string() }))
    .optional(),
  fuzzy: z.object({ entries: z.number().int(), some: z.array(z.string()) }).optional(),
  quiesced: z
    .object({
      how: z.string(),
      hooks: z.object({ before: z.string().optional(), after: z.string().optional() }).optional(),
      ran: z.array(z.string()),
      startedAt: z.string(),
      endedAt: z.string(),
    })
    .optional(),
});
export type ManifestSummary = z.infer<typeof manifestSummary>;

/** One backup, with what its manifest says. */
export const getBackup = query('get-backup', {
  from: ['gateway'],
  to: 'backup',
  perSite: true,
  data: backupKey,
  reply: listedBackup.extend({
    manifest: manifestSummary.optional(),
    /** Why there is no manifest, or why it is not to be trusted. */
    problem: z.string().optional(),
  }),
  // a manifest of 100,000 files is read and hashed
  timeoutSeconds: 30,
});
export const backupView = getBackup.reply;
export type BackupView = z.infer<typeof backupView>;

/** Begins to read all of it back, or joins whoever does so now: how far it is, `get-backup` says. */
export const verifyBackup = query('verify-backup', {
  from: ['gateway'],
  to: 'backup',
  perSite: true,
  data: backupKey,
  reply: listedBackup,
});

/** What is kept: a backup stays when one of the rules keeps it. Each holds for every instance by itself. */
export const retention = z.object({
  /** The newest so many. */
  keepLast: z.number().int().min(1).max(10_000).optional(),
  /** Those that are younger than so many days. */
  keepDays: z.number().int().min(1).max(36_500).optional(),
  /** Of the last so many releases that were upgraded to, the newest of each. */
  keepReleases: z.number().int().min(1).max(10_000).optional(),
});
export type Retention = z.infer<typeof retention>;

const judgedBackup = listedBackup.extend({
  /** That its upgrade goes, or went, to; not there: no upgrade of that id is known. */
  release: z.string().optional(),
  /** Why it stays, or may go. */
  because: z.string(),
});
export type JudgedBackup = z.infer<typeof judgedBackup>;

/** What retention would take, and what it would leave. Nothing is deleted by it. */
export const prunableBackups = query('prunable-backups', {
  from: ['gateway'],
  to: 'backup',
  perSite: true,
  data: z.object({
    ...place,
    ...retention.shape,
    /** Of each of the two lists. */
    limit: z.number().int().min(1).max(500).default(100),
  }),
  reply: z.object({
    /** May go; the oldest first. */
    items: z.array(judgedBackup),
    /** Stays; the newest first. */
    kept: z.array(judgedBackup),
    /** How many there are of each, and what those that may go take of the disk. */
    totals: z.object({
      items: z.number().int(),
      kept: z.number().int(),
      archiveBytes: z.number().int(),
    }),
  }),
  timeoutSeconds: 60,
});

/** Deletes one; refused for the last good one of its instance, and while a rollback may need it. */
export const deleteBackup = query('delete-backup', {
  from: ['gateway'],
  to: 'backup',
  perSite: true,
  data: backupKey,
  reply: listedBackup,
  timeoutSeconds: 60,
});

/** Upgrades that one question may be about. */
export const MOST_UPGRADES_ASKED = 500;

/** What became of the upgrades that backups were made for. */
export const endsOfUpgrades = query('ends-of-upgrades', {
  from: ['backup'],
  to: 'coordinator',
  data: z.object({ upgrades: z.array(upgradeId).max(MOST_UPGRADES_ASKED) }),
  /** Of those that are known; in no order. */
  reply: z.object({
    items: z.array(
      z.object({
        upgrade: upgradeId,
        release: dottedName,
        /** Its state is final: nothing of it is taken back any more. */
        ended: z.boolean(),
      }),
    ),
  }),
  timeoutSeconds: 30,
});
