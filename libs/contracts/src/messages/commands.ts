import { z } from 'zod';
import { APPS, STEP_APPS } from '../apps.js';
import { errorShape } from '../errors.js';
import { backupSetId, jsonObject, name, sha256, stepId, token, upgradeId } from '../names.js';
import { damagedBackup } from '../upgrade/damaged-backup.js';
import { step } from '../plan/step.js';
import { upgradeRequest } from '../upgrade/request.js';
import { command } from './define.js';

/** Which way a step leads. */
export const DIRECTIONS = ['forward', 'back', 'bracket', 'bake', 'finalize'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** A step as a message carries it: without what only the plan's order needs, and a newer sender's fields are let be. */
export const carriedStep = z.object(step.shape);

const attempt = { upgrade: upgradeId, stepId, token, attempt: z.number().int().min(1) };

export const COMMANDS = {
  'compute-plan': command('compute-plan', {
    from: ['coordinator'],
    to: ['planner'],
    data: z.object({ upgrade: upgradeId, request: upgradeRequest }),
    ackWaitSeconds: 60,
  }),
  'plan-computed': command('plan-computed', {
    from: ['planner'],
    to: ['coordinator'],
    data: z.object({
      upgrade: upgradeId,
      result: z.discriminatedUnion('outcome', [
        /** The plan itself is read in pages (`get-plan`). */
        z.object({ outcome: z.literal('planned'), digest: sha256 }),
        z.object({ outcome: z.literal('refused'), error: errorShape }),
      ]),
    }),
    ackWaitSeconds: 30,
  }),
  /** Carries one step (at most 64 KiB), never the plan. The same token again means: "have you an answer?" */
  'run-step': command('run-step', {
    from: ['coordinator'],
    to: STEP_APPS,
    data: z.object({
      ...attempt,
      environment: name,
      application: name,
      planDigest: sha256,
      direction: z.enum(DIRECTIONS),
      step: carriedStep,
    }),
  }),
  /** Whatever runs under a smaller token is to stop; answered by `step-finished` with this token, when it has. */
  'revoke-step': command('revoke-step', {
    from: ['coordinator'],
    to: STEP_APPS,
    data: z.object({ ...attempt, step: carriedStep }),
  }),
  'step-started': command('step-started', {
    from: STEP_APPS,
    to: ['coordinator'],
    data: z.object({ ...attempt, owner: z.string(), at: z.string() }),
  }),
  'step-finished': command('step-finished', {
    from: STEP_APPS,
    to: ['coordinator'],
    data: z.object({
      ...attempt,
      result: z.discriminatedUnion('outcome', [
        z.object({ outcome: z.literal('succeeded'), output: jsonObject }),
        z.object({
          outcome: z.literal('failed'),
          error: errorShape,
          /** Whether the step may have changed anything before it failed. */
          effect: z.enum(['none', 'possible']),
        }),
        /** The process that ran it died, and nobody saw how far it came. */
        z.object({ outcome: z.literal('lost'), error: errorShape }),
        /** Answer to `revoke-step`: nothing runs any more. */
        z.object({ outcome: z.literal('revoked'), began: z.boolean() }),
      ]),
      /** RFC 3339, where it began to run, and where it ended. */
      startedAt: z.string().optional(),
      endedAt: z.string(),
      /** Milliseconds that the action itself took, without queueing. */
      actionMs: z.number().min(0).optional(),
    }),
  }),
  /** A backup that was read back, and is not as it was written: the coordinator tells of it in an event. */
  'backup-found-damaged': command('backup-found-damaged', {
    from: ['backup'],
    to: ['coordinator'],
    data: z.object({
      environment: name,
      application: name,
      /** What it was made for: an upgrade, or itself (`bak_…`). */
      set: backupSetId,
      ...damagedBackup,
    }),
  }),
  /** A message that a service could not handle, and keeps in its table `dead_letters`: the coordinator tells of it in an event. */
  'dead-letter-kept': command('dead-letter-kept', {
    from: ['coordinator', 'planner', ...STEP_APPS, 'notifier'],
    to: ['coordinator'],
    data: z.object({
      /** Who keeps it. */
      app: z.enum(APPS),
      messageId: z.string(),
      subject: z.string(),
      /** What it was about, where that could be read. */
      upgrade: upgradeId.optional(),
      error: errorShape,
      deliveries: z.number().int().min(1),
    }),
  }),
} as const;
export type CommandName = keyof typeof COMMANDS;
export type CommandData<N extends CommandName> = z.infer<(typeof COMMANDS)[N]['data']>;
export type StepResult = CommandData<'step-finished'>['result'];

/** What travels on a command subject. */
export const commandEnvelope = z.object({
  /** Also the `Nats-Msg-Id`, and the receiver's inbox key. */
  id: z.string().min(1).max(300),
  name: z.string(),
  version: z.number().int().min(1),
  at: z.string(),
  from: z.string(),
  traceparent: z.string().optional(),
  data: z.unknown(),
});
export type CommandEnvelope = z.infer<typeof commandEnvelope>;

/** CloudEvents 1.0, structured mode (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md). */
export const cloudEvent = z.object({
  specversion: z.literal('1.0'),
  /** `<upgrade>:<sequence>`; of what belongs to no upgrade `<app>:<message id>`. */
  id: z.string(),
  source: z.string(),
  type: z.string(),
  subject: z.string(),
  time: z.string(),
  datacontenttype: z.literal('application/json'),
  /** The upgrade's sequence, zero-padded so that it sorts (CloudEvents' `sequence` extension); 0 of what belongs to no upgrade. */
  sequence: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type LiftlockCloudEvent = z.infer<typeof cloudEvent>;
