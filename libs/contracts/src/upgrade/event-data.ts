import { z } from 'zod';
import { errorShape } from '../errors.js';
import { backupSetId, jsonObject, stepId, token, upgradeId } from '../names.js';
import { change } from '../plan/plan.js';
import { approval, approvalNeed } from '../policy/approvals.js';
import { damagedBackup } from './damaged-backup.js';
import { EVENT_TYPES, type EventType } from './events.js';
import { ACTIONS_ON_UPGRADE, upgradeState } from './states.js';

/** Why, in a sentence, and the error behind it where there is one. */
const because = { message: z.string().optional(), error: errorShape.optional() };
const attempt = { step: stepId, token, attempt: z.number().int().min(1) };
/** RFC 3339, and milliseconds that the action itself took: not there when the attempt never began or was called back. */
const timing = {
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
  actionMs: z.number().min(0).optional(),
};
const lane = { lane: stepId, instance: z.string() };
const end = z.object(because);

/**
 * What each type of event says besides which upgrade it is about. Version 1 only grows: a field is never taken away, renamed or
 * given another meaning.
 */
export const EVENT_DATA = {
  'upgrade-created': z.object({
    environment: z.string(),
    application: z.string(),
    release: z.string(),
    actor: z.string(),
    /** The upgrade whose rest it is to do. */
    continues: upgradeId.optional(),
    /** It was asked for as an emergency: why, and by which role. */
    emergency: z.object({ reason: z.string(), role: z.string().optional() }).optional(),
  }),
  'upgrade-planned': z.object({
    from: z.string(),
    to: z.string(),
    changes: z.array(change),
    warnings: z.array(z.string()),
  }),
  'upgrade-state-changed': z.object({
    from: upgradeState,
    to: upgradeState,
    ...because,
    /** Who wanted it, where a person did. */
    actor: z.string().optional(),
    /** `baking`: for how long, in seconds. */
    seconds: z.number().optional(),
  }),
  'upgrade-decision': z.object({
    decision: z.enum(ACTIONS_ON_UPGRADE),
    actor: z.string(),
    reason: z.string().optional(),
    step: stepId.optional(),
  }),
  /** With who is still needed: nobody, when this was the last one. */
  'approval-given': approval.extend({ missing: z.array(approvalNeed) }),
  /** It may begin at a moment (RFC 3339), and does so by itself; the message says what keeps it. */
  'upgrade-waiting': z.object({ until: z.string(), message: z.string() }),
  'upgrade-warning': z.object({
    message: z.string(),
    step: stepId.optional(),
    error: errorShape.optional(),
  }),
  'upgrade-succeeded': end,
  'upgrade-partially-succeeded': end,
  'upgrade-rolled-back': end,
  'upgrade-failed': end,
  'upgrade-rejected': end,
  'upgrade-cancelled': end,
  /** With the steps that a person must decide on. */
  'upgrade-needs-attention': z.object({ steps: z.array(stepId), ...because }),
  'hop-started': z.object({ hop: stepId, from: z.string(), to: z.string() }),
  'hop-verified': z.object({ hop: stepId, to: z.string() }),
  'wave-started': z.object({ wave: stepId, lanes: z.array(stepId) }),
  'wave-verified': z.object({ wave: stepId }),
  'lane-started': z.object({ ...lane, from: z.string(), to: z.string() }),
  'lane-verified': z.object({ ...lane, to: z.string() }),
  'lane-failed': z.object({ ...lane, step: stepId, error: errorShape.optional() }),
  'lane-taken-back': z.object({ ...lane, to: z.string() }),
  'step-dispatched': z.object({
    ...attempt,
    title: z.string(),
    action: z.string(),
    direction: z.string(),
  }),
  'step-started': z.object({ ...attempt, owner: z.string() }),
  'step-succeeded': z.object({ ...attempt, ...timing, output: jsonObject }),
  'step-failed': z.object({ ...attempt, ...timing, error: errorShape.optional() }),
  'step-retrying': z.object({
    ...attempt,
    ...timing,
    error: errorShape,
    /** Milliseconds until the next attempt. */
    afterMs: z.number().min(0),
  }),
  'step-in-doubt': z.object({ ...attempt, ...timing, error: errorShape.optional() }),
  'step-skipped': z.object({ step: stepId, actor: z.string(), reason: z.string().optional() }),
  'step-resolved': z.object({
    step: stepId,
    outcome: z.enum(['succeeded', 'failed']).optional(),
    actor: z.string(),
    reason: z.string().optional(),
  }),
  /** A message about the upgrade that a service could not handle: it is kept in that service's table `dead_letters`. */
  'message-dead-lettered': z.object({
    /** The service that could not handle it. */
    app: z.string(),
    messageId: z.string(),
    subject: z.string(),
    error: errorShape,
    deliveries: z.number().int().min(1),
  }),
  /** A backup was read back, and is not as it was written: of an upgrade, or (`bak_…`) one that was asked for by itself, which is in no history. */
  'backup-damaged': z.object({ set: backupSetId, ...damagedBackup }),
} as const satisfies Record<EventType, z.ZodType>;

export type EventData<T extends EventType> = z.infer<(typeof EVENT_DATA)[T]>;

export function isEventType(type: string): type is EventType {
  return (EVENT_TYPES as readonly string[]).includes(type);
}
