import { z } from 'zod';
import { STEP_APPS } from '../apps.js';
import { jsonObject, name, seconds, stepId } from '../names.js';
import { credentials } from './target-credentials.js';

export const PHASES = ['mirror', 'backup', 'execute', 'verify', 'finalize'] as const;
export type Phase = (typeof PHASES)[number];

/**
 * How a step is taken back: `inverse` by an opposite step, `restore` by putting data back, `none_needed` since it changes nothing
 * that matters, `irreversible` not at all (a failure after it leads to `needs_attention`).
 */
export const UNDO_KINDS = ['inverse', 'restore', 'none_needed', 'irreversible'] as const;
export type UndoKind = (typeof UNDO_KINDS)[number];

export const retryPolicy = z.strictObject({
  /** Tries in all, the first included. */
  maxAttempts: z.number().int().min(1).max(100),
  /** Seconds before the second try; doubled with each further one. */
  backoffSeconds: seconds,
  /** Upper bound of the wait, in seconds. */
  maxBackoffSeconds: seconds,
});
export type RetryPolicy = z.infer<typeof retryPolicy>;

export const DRIVER_NAMES = ['docker', 'kubernetes', 'model'] as const;
export type DriverName = (typeof DRIVER_NAMES)[number];

/** Where a step acts, with all that is needed to get there but the secrets, which are references. */
export const stepTarget = z.strictObject({
  name,
  driver: z.enum(DRIVER_NAMES),
  site: name,
  /** Where a Docker Engine listens, see `DockerEndpoint`, or a cluster, see `KubernetesEndpoint`; for the model target the path of its folder. */
  endpoint: z.string().min(1),
  /** References to what it is reached with. */
  credentials: credentials.optional(),
});
export type StepTarget = z.infer<typeof stepTarget>;

/**
 * The same, or what no driver reaches: a registry, whose `endpoint` is its host with the path that images are put below; or a folder of the
 * backup service's machine, which has data and no instances, with that as its `endpoint`.
 */
export const stepPlace = stepTarget.extend({
  driver: z.enum([...DRIVER_NAMES, 'registry', 'folder']),
});
export type StepPlace = z.infer<typeof stepPlace>;

export const step = z.strictObject({
  id: stepId,
  title: z.string().min(1).max(200),
  phase: z.enum(PHASES),
  action: z.string().regex(/^[a-z]+\.[a-z-]+$/),
  /** The service that runs it. */
  app: z.enum(STEP_APPS),
  target: stepPlace,
  /** The component's name, where the step belongs to one. */
  component: name.optional(),
  /** What the action is given: its schema stands in the catalogue of actions. At most 64 KiB of JSON. */
  input: jsonObject,
  undo: z.enum(UNDO_KINDS),
  /** Upper bound of one attempt, in seconds. */
  timeoutSeconds: z
    .number()
    .min(1)
    .max(7 * 24 * 3600),
  retry: retryPolicy,
  /** The driver can see whether it already happened: after a crash it may be dispatched again. */
  observable: z.boolean(),
  /** The document says that it may run twice. */
  repeatable: z.boolean(),
});
export type Step = z.infer<typeof step>;

/** A step before the first hop. */
export const prepareStep = step.extend({
  /** Steps of the same part that must have succeeded before; left out: none. */
  after: z.array(stepId).optional(),
});
export type PrepareStep = z.infer<typeof prepareStep>;

/** A step of the way back that belongs to no lane. */
export const applicationBackStep = step.extend({
  /** Forward steps: it is needed when at least one of them has begun. Left out: when anything of the upgrade has. */
  when: z.array(stepId).min(1).optional(),
});
export type ApplicationBackStep = z.infer<typeof applicationBackStep>;

/** What a step does to an instance as it goes back, where that has an order among instances. */
export const WAYS_BACK = ['down', 'data', 'up'] as const;
export type WayBack = (typeof WAYS_BACK)[number];

/** A step that takes something back, planned beside the steps that it undoes. */
export const compensationStep = step.extend({
  /** The lanes it serves: more than one for data that they share. It runs when at least one of them is taken back. */
  lanes: z.array(stepId).min(1),
  /** Forward steps: it is needed when at least one of them has begun. */
  when: z.array(stepId).min(1),
  /** Compensation steps that must have ended before, of those that are needed. */
  after: z.array(stepId),
  /**
   * Of use only where the way back ends at this hop's origin: left out where an earlier hop of the same instance is taken back
   * too (its own restore and start come later and go further).
   */
  destinationOnly: z.boolean(),
  /**
   * Its place among other instances: dependents go down before what they depend on, and come up after it. A step that takes something
   * `down` waits for those of higher tiers, one that brings it `up` for those of lower ones, of those that are needed. One that brings back
   * `data` that lies beside others' waits until all are down, and for those of lower tiers; until then nothing comes up. Left out: none.
   */
  order: z.strictObject({ tier: z.number().int().min(0), way: z.enum(WAYS_BACK) }).optional(),
});
export type CompensationStep = z.infer<typeof compensationStep>;
