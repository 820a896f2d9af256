import { z } from 'zod';
import { API_VERSION } from '../apps.js';
import { clusterChain } from '../documents/chains.js';
import { name, dottedName, seconds, sha256, stepId } from '../names.js';
import { startConditions } from '../policy/start-conditions.js';
import { applicationBackStep, compensationStep, prepareStep, step, stepTarget } from './step.js';

export const SCOPES = ['instance', 'wave', 'upgrade'] as const;
/** How much is taken back when an instance fails. */
export type Scope = (typeof SCOPES)[number];

export const policy = z.strictObject({
  scope: z.enum(SCOPES),
  /** Instances that may fail before the rest is stopped; 0: the first failure stops. Of use with scope `instance` only. */
  maxFailures: z.number().int().min(0),
  /** Where the way back ends when there were several hops. */
  rollbackTo: z.enum(['origin', 'last_verified_hop']),
  /**
   * Whether a person with the role `approver` must agree before anything is touched. A request can ask for it, and cannot do without
   * what its environment asks for.
   */
  approval: z.enum(['none', 'required']),
  /** Seconds for which old containers, images and backups are kept after all was verified, and checks go on. */
  bakeSeconds: seconds,
  /** Seconds between two rounds of checks while baking. */
  bakeCheckEverySeconds: z
    .number()
    .min(0.1)
    .max(24 * 3600),
});
export type Policy = z.infer<typeof policy>;

/** One component on one target, one hop: its steps in order. Its way back is in the hop's compensation. */
export const lane = z.strictObject({
  id: stepId,
  /** `<component>@<target>`: the same in every hop. */
  instance: z.string().min(1),
  component: name,
  target: name,
  from: z.string(),
  to: z.string(),
  steps: z.array(step).min(1),
});
export type Lane = z.infer<typeof lane>;

export const wave = z.strictObject({
  id: stepId,
  /** Lanes that may be under way at the same time. */
  parallelism: z.number().int().min(1),
  lanes: z.array(lane).min(1),
});
export type Wave = z.infer<typeof wave>;

export const hop = z.strictObject({
  id: stepId,
  from: z.string(),
  to: z.string(),
  waves: z.array(wave).min(1),
  compensation: z.array(compensationStep),
});
export type Hop = z.infer<typeof hop>;

/**
 * Acquired before the first step of its lanes, released when they are settled, and on pause, `needs_attention` and every end. Held again
 * before the next step after a pause.
 */
export const bracket = z.strictObject({
  id: stepId,
  lanes: z.array(stepId).min(1),
  /** A step of its one lane: acquired before this one instead of before the lane's first. */
  beforeStep: stepId.optional(),
  /** Whether it is held while its lanes are taken back, too; else it is released before anything of them is taken back. */
  duringRollback: z.boolean(),
  acquire: step,
  release: step,
});
export type Bracket = z.infer<typeof bracket>;

/** What an application wants done once for all of its instances: of each list one step after the other. */
export const applicationHooks = z.strictObject({
  /** When all is prepared, before the first lane of the first hop is begun. */
  before: z.array(step),
  /** When what goes forward was verified in the last hop, and before the bake. */
  after: z.array(step),
  /** On the way back, before any lane goes back. */
  undoAfter: z.array(applicationBackStep),
  /** On the way back, when all lanes are back. */
  onceBack: z.array(applicationBackStep),
});
export type ApplicationHooks = z.infer<typeof applicationHooks>;

export const observedInstance = z.strictObject({
  instance: z.string(),
  component: name,
  target: name,
  /** The version whose image runs, or `unknown`. */
  version: z.string(),
  container: z.string(),
  containerId: z.string(),
  imageId: z.string(),
  imageReference: z.string(),
  running: z.boolean(),
});
export type ObservedInstance = z.infer<typeof observedInstance>;

export const change = z.strictObject({
  instance: z.string(),
  component: name,
  target: name,
  from: z.string(),
  to: z.string(),
  updated: z.boolean(),
  /** The request left it out: it is neither locked nor touched, and its version is `unknown` where nobody looked. Not there: it was not. */
  leftOut: z.literal(true).optional(),
});
export type Change = z.infer<typeof change>;

/** Characters of a plan's canonical JSON in one page: under 512 KiB in a message, whatever has to be escaped. */
export const PLAN_PAGE = 128 * 1024;
/** Pages of one plan. */
export const MOST_PLAN_PAGES = 1_000;
/** Characters of a plan's canonical JSON. */
export const MOST_PLAN_CHARACTERS = PLAN_PAGE * MOST_PLAN_PAGES;

/** What an upgrade will do: immutable, named by its digest. */
export const plan = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Plan'),
  environment: name,
  application: name,
  release: dottedName,
  from: z.string(),
  to: z.string(),
  policy,
  /** Not there: it may begin at once, or when `policy.approval` is given. */
  startConditions: startConditions.optional(),
  documents: z.array(
    z.strictObject({
      kind: z.string(),
      name: dottedName,
      generation: z.number().int().min(1),
      digest: sha256,
      /** Where it was read, and counts as it is there. Not there: it is the stored document. */
      from: clusterChain.omit({ name: true }).optional(),
    }),
  ),
  /** With the number of upgrades that may run on each at the same time; default 4. */
  targets: z.array(stepTarget.extend({ maxUpgrades: z.number().int().min(1).optional() })),
  observed: z.array(observedInstance),
  changes: z.array(change),
  warnings: z.array(z.string()),
  /** Before anything is touched: the state is as planned, images are where they are needed. One failure ends it as `failed`. */
  prepare: z.array(prepareStep),
  /** Not there: none. */
  applicationHooks: applicationHooks.optional(),
  hops: z.array(hop),
  brackets: z.array(bracket),
  /** Repeated while baking; one that fails takes the upgrade back. */
  bakeChecks: z.array(step),
  /** After the bake: what was kept for the way back is removed. */
  finalize: z.array(
    step.extend({
      /** The lane that it belongs to: it is done where that one is verified. Left out: it is done on every end. */
      lane: stepId.optional(),
      /** Steps of which at least one must have begun, or there is nothing to do. Left out: none. */
      when: z.array(stepId).min(1).optional(),
    }),
  ),
});
export type Plan = z.infer<typeof plan>;
