import { z } from 'zod';
import { mirrorSpec, trustRule } from '../documents/mirror.js';
import { errorShape } from '../errors.js';
import { name, sha256, upgradeId } from '../names.js';
import { query } from './define.js';

/** An image of a release, before anything is decided about it. */
export const imageQuestion = z.object({
  reference: z.string().min(1),
  archive: z.string().optional(),
});
export type ImageQuestion = z.infer<typeof imageQuestion>;

/** What the mirror service found out about one. */
export const imageAnswer = z.discriminatedUnion('outcome', [
  /** No pattern of the mirror and no rule of trust is about it. */
  z.object({ outcome: z.literal('left') }),
  z.object({
    outcome: z.literal('found'),
    /** Of the manifest or index that its reference means now. */
    digest: sha256,
    /** `registry/repository` that its reference means. */
    name: z.string(),
    /** IDs that engines of the classic image store give it: of one image, no index. */
    imageIds: z.array(sha256).default([]),
    /** Where the mirror will have it; not there: it is not mirrored. */
    target: z.object({ repository: z.string(), tag: z.string() }).optional(),
    warnings: z.array(z.string()).default([]),
  }),
  z.object({ outcome: z.literal('refused'), error: errorShape }),
]);
export type ImageAnswer = z.infer<typeof imageAnswer>;

/** Images that one question may be about. */
export const MOST_IMAGES_EXAMINED = 100;

/** Which digests images have, and whether they are signed as an environment asks: whoever reaches the registries can tell. */
export const examineImages = query('examine-images', {
  from: ['planner'],
  to: 'mirror',
  perSite: true,
  data: z.object({
    mirror: mirrorSpec.optional(),
    trust: z.array(trustRule).default([]),
    images: z.array(imageQuestion).max(MOST_IMAGES_EXAMINED),
  }),
  /** In the order of the question. */
  reply: z.object({ items: z.array(imageAnswer) }),
  timeoutSeconds: 45,
});

/** That upgrades of one application wanted an image of one source, and have it at a mirror. */
const mirroredImage = z.object({
  /** `registry/repository` of the mirror. */
  target: z.string(),
  digest: z.string(),
  tag: z.string(),
  /** As the release, or an application's job, named it. */
  source: z.string(),
  environment: z.string(),
  application: z.string(),
  /** The upgrade that wanted it last. */
  upgrade: upgradeId,
  /** The most that was sent for it at one time: what was there already, or was mounted, counts for nothing. */
  bytes: z.number().int().min(0),
  /** First and last time that it was seen to be there. */
  mirroredAt: z.string(),
  lastUsedAt: z.string(),
});
export type MirroredImage = z.infer<typeof mirroredImage>;

const listing = {
  from: ['gateway'],
  to: 'mirror',
  perSite: true,
  data: z.object({
    environment: name.optional(),
    limit: z.number().int().min(1).max(500).default(100),
  }),
  /** The last used first. */
  reply: z.object({ items: z.array(mirroredImage) }),
} as const;

/** What upgrades brought to mirrors. */
export const listMirrored = query('list-mirrored', listing);
/** Of it, what no release names any more and no upgrade holds. */
export const mirrorGarbage = query('mirror-garbage', { ...listing, timeoutSeconds: 55 });

/** Takes an image away from a mirror, with what refers to it; refused while anything needs it. */
export const deleteMirrored = query('delete-mirrored', {
  from: ['gateway'],
  to: 'mirror',
  perSite: true,
  data: z.object({ target: z.string().min(1).max(500), digest: sha256 }),
  reply: z.object({ items: z.array(mirroredImage) }),
  timeoutSeconds: 55,
});

/** Images that one question may be about. */
export const MOST_USED_ASKED = 500;

/**
 * Which images some release of the fleet, or a job of an application, names: by the reference that they were mirrored for, by one that they
 * have at the mirror, or by digest.
 */
export const usedImages = query('used-images', {
  from: ['mirror'],
  to: 'planner',
  data: z.object({
    images: z
      .array(
        z.object({
          source: z.string(),
          digest: z.string(),
          /** `registry/repository:tag` that it has at the mirror: who takes images from there may name that. */
          place: z.string().optional(),
        }),
      )
      .max(MOST_USED_ASKED),
  }),
  /** In the order of the question. */
  reply: z.object({ used: z.array(z.boolean()) }),
  timeoutSeconds: 20,
});

/** Which images upgrades hold, mirrored or not: those of upgrades that have not ended, and those that instances run since an upgrade. */
export const heldImages = query('held-images', {
  from: ['mirror'],
  to: 'coordinator',
  data: z.object({ digests: z.array(z.string()).max(MOST_USED_ASKED) }),
  reply: z.object({
    items: z.array(
      z.object({ digest: z.string(), upgrade: upgradeId, why: z.enum(['not_ended', 'runs']) }),
    ),
  }),
  timeoutSeconds: 20,
});
