import { z } from 'zod';
import { name, stepId, token, upgradeId } from '../names.js';

/** What of a step is under way: a restore reads the whole archive before it puts anything back. */
export const TRANSFER_PARTS = ['copy', 'pull', 'snapshot', 'read', 'restore'] as const;
export type TransferPart = (typeof TRANSFER_PARTS)[number];

/** What is added up together. */
export const TRANSFER_KINDS = ['images', 'snapshots', 'restores'] as const;
export type TransferKind = (typeof TRANSFER_KINDS)[number];

export const KIND_OF_PART = {
  copy: 'images',
  pull: 'images',
  snapshot: 'snapshots',
  read: 'restores',
  restore: 'restores',
} as const satisfies Record<TransferPart, TransferKind>;

const bytes = z.number().int().min(0);
const measure = {
  doneBytes: bytes,
  /** As far as it is known by now: it may grow. */
  totalBytes: bytes,
  /** Over the last few seconds, of what really moved; not there before it is known. */
  bytesPerSecond: z.number().min(0).optional(),
};
const measureLeft = {
  ...measure,
  /** At this rate; not there where nothing moves. */
  secondsLeft: z.number().min(0).optional(),
};

/** How far one attempt's transfer is, as its step service says it. */
export const stepTransfer = z.object({
  upgrade: upgradeId,
  environment: name,
  application: name,
  stepId,
  token,
  part: z.enum(TRANSFER_PARTS),
  /** `done` and `stopped` are said once, when the step has succeeded or its attempt ended otherwise. */
  state: z.enum(['running', 'done', 'stopped']),
  ...measure,
  /** RFC 3339. */
  at: z.string(),
});
export type StepTransfer = z.infer<typeof stepTransfer>;

/**
 * How far the transfers of an upgrade are, as far as it was heard: the data of the server-sent event `progress`. Each stands for
 * itself, and whoever misses one needs only the next.
 */
export const upgradeProgress = z.object({
  upgrade: upgradeId,
  /** RFC 3339. */
  at: z.string(),
  /** Those under way, by step. */
  steps: z.array(z.object({ step: stepId, part: z.enum(TRANSFER_PARTS), ...measureLeft })),
  /** Those that are done and those under way, by kind: only kinds of which something is under way. */
  totals: z.array(
    z.object({
      kind: z.enum(TRANSFER_KINDS),
      running: z.number().int().min(1),
      ...measureLeft,
    }),
  ),
});
export type UpgradeProgress = z.infer<typeof upgradeProgress>;
