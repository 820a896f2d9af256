import { z } from 'zod';
import { storedDocument } from '../documents/documents.js';
import { QUERIES } from '../messages/queries.js';
import { stepTarget } from '../plan/step.js';
import { upgradeView } from '../upgrade/request.js';
import { auditEntry, tokenView } from './tokens.js';

export const upgradePage = z.object({
  items: z.array(upgradeView),
  /** Give it as `cursor` for the next page; not there: this was the last. */
  nextCursor: z.string().optional(),
});

export const documentPage = z.object({
  items: z.array(storedDocument),
  nextCursor: z.string().optional(),
});

export const generationPage = QUERIES['document-history'].reply;

export const upgradePathList = QUERIES['upgrade-paths'].reply;
export type UpgradePathList = z.infer<typeof upgradePathList>;

export const planEstimate = QUERIES['estimate-plan'].reply;
export type PlanEstimate = z.infer<typeof planEstimate>;

export const backupPage = QUERIES['list-backups'].reply;
export type BackupPage = z.infer<typeof backupPage>;
export const listedBackup = QUERIES['verify-backup'].reply;
export const prunablePage = QUERIES['prunable-backups'].reply;
export type PrunablePage = z.infer<typeof prunablePage>;

export const mirroredPage = QUERIES['list-mirrored'].reply;
export type MirroredPage = z.infer<typeof mirroredPage>;

const logLine = QUERIES['executor-step-log'].reply.shape.lines.element;
export const logPage = z.object({
  lines: z.array(logLine.omit({ id: true }).extend({ app: z.string(), site: z.string() })),
  /** Give it as `cursor` to go on after these lines, also when there are none yet. */
  cursor: z.string(),
  /** `app@site` of step services that did not answer: their lines are missing. */
  unavailable: z.array(z.string()),
});
export type LogPage = z.infer<typeof logPage>;

export const tokenPage = z.object({ items: z.array(tokenView) });
export const auditPage = z.object({
  items: z.array(auditEntry),
  nextCursor: z.string().optional(),
});

/** What runs on a target that need not be in any document yet. */
export const observationRequest = z.strictObject({
  target: stepTarget,
  containers: z.array(z.string().min(1).max(255)).min(1).max(20),
});
export type ObservationRequest = z.infer<typeof observationRequest>;
