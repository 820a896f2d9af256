import { z } from 'zod';
import { errorShape } from '../errors.js';
import { dottedName, name, sha256, stepId, upgradeId } from '../names.js';
import { exclusion, MOST_EXCLUSIONS } from '../plan/exclusion.js';
import { change, policy } from '../plan/plan.js';
import { approval, approvalNeed } from '../policy/approvals.js';
import { upgradeState } from './states.js';

/** Body of `POST /v1/upgrades` and of `POST /v1/plans`. */
export const upgradeRequest = z.strictObject({
  environment: name,
  application: name,
  /** Name of the release document to go to. */
  release: dottedName,
  /** Overrides of the environment's policy. */
  policy: policy.partial().default({}),
  /** Why, for the history; at most 500 characters. */
  reason: z.string().max(500).optional(),
  /** Digest of the plan that was agreed to: exactly that is run, or nothing. */
  plan: sha256.optional(),
  /** Not before this moment (RFC 3339). */
  notBefore: z.iso.datetime({ offset: true }).optional(),
  /** The upgrade whose rest this is: of the same environment, application and release, ended, and not with all of it done. */
  continues: upgradeId.optional(),
  /** It takes its environment's emergency path, which only a security release may, and says why; at most 500 characters. */
  emergency: z.strictObject({ reason: z.string().min(1).max(500) }).optional(),
  /**
   * What stays as it is, by name: it is neither locked nor touched, and a target of which nothing else takes part is not observed. A later
   * upgrade takes it. Left out: nothing.
   */
  exclude: z.array(exclusion).min(1).max(MOST_EXCLUSIONS).optional(),
});
export type UpgradeRequest = z.infer<typeof upgradeRequest>;

/** Body of `POST /v1/upgrades/:id/<action>`: `step` for retry, skip and resolve; `reason` needed for skip and resolve. */
export const actionRequest = z.strictObject({
  step: stepId.optional(),
  reason: z.string().min(1).max(500).optional(),
  /** resolve: what a person found out about a step in doubt. */
  outcome: z.enum(['succeeded', 'failed']).optional(),
  /** approve: the digest of the plan that is agreed to; refused when it is another than the upgrade's. */
  plan: sha256.optional(),
  /** approve: what is to be remembered with it. */
  comment: z.string().min(1).max(500).optional(),
});
export type ActionRequest = z.infer<typeof actionRequest>;

export const upgradeView = z.object({
  id: upgradeId,
  environment: name,
  application: name,
  release: dottedName,
  state: upgradeState,
  /** Counts the changes of this upgrade; what a compare-and-set is made on. */
  version: z.number().int(),
  from: z.string().optional(),
  to: z.string().optional(),
  planDigest: sha256.optional(),
  /** What its plan has in common with those that do the same in other environments: what promotion goes by. */
  planShape: sha256.optional(),
  requestedBy: z.string(),
  reason: z.string().optional(),
  /** The upgrade whose rest it was asked to do. */
  continues: upgradeId.optional(),
  /** It was asked for as an emergency: why, what it mends, and what it did not wait for; the last two when it is planned. */
  emergency: z
    .object({
      reason: z.string(),
      advisories: z.array(z.string()).default([]),
      skips: z.array(z.string()).default([]),
    })
    .optional(),
  /** What was asked for instead of the environment's policy; left out where that is nothing. */
  policy: policy.partial().optional(),
  /** What was asked to stay as it is; `changes` has each such instance. */
  exclude: z.array(exclusion).optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
  endedAt: z.string().optional(),
  /** Why it is where it is, in a sentence, where there is something to say. */
  message: z.string().optional(),
  error: errorShape.optional(),
  /** Steps that a person must decide on. */
  attention: z.array(z.object({ step: stepId, error: errorShape.optional() })).default([]),
  progress: z.object({ stepsTotal: z.number().int(), stepsDone: z.number().int() }),
  changes: z.array(change).default([]),
  warnings: z.array(z.string()).default([]),
  /** Not under way now, and goes on by itself: when (RFC 3339), and what keeps it until then. */
  waiting: z.object({ until: z.string(), message: z.string() }).optional(),
  /** Where its plan asks for approvals: which, what was given, and who is still needed. */
  approvals: z
    .object({
      needed: z.array(approvalNeed),
      notByRequester: z.boolean(),
      given: z.array(approval),
      missing: z.array(approvalNeed),
    })
    .optional(),
});
export type UpgradeView = z.infer<typeof upgradeView>;

/** One line of an upgrade's history: also what a CloudEvent carries as data, and a server-sent event. */
export const historyEvent = z.object({
  upgrade: upgradeId,
  /** Counts the events of one upgrade from 1, without a gap. */
  sequence: z.number().int().min(1),
  type: z.string(),
  at: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type HistoryEvent = z.infer<typeof historyEvent>;

export const observation = z.object({
  target: name,
  engine: z.object({ name: z.string(), version: z.string() }),
  /** Of a cluster: nodes that are ready and take pods; not there: nobody could tell. */
  nodes: z.number().int().min(0).optional(),
  /** Of a cluster: answers to the question's manifests, in its order. */
  manifests: z
    .array(
      z.object({
        path: z.string(),
        namespace: z.string(),
        /** Of what was built from it; not there: it could not be. */
        digest: sha256.optional(),
        /** `KIND/NAMESPACE/NAME` of what is applied, or `KIND/NAME`. */
        objects: z.array(z.string()).default([]),
        problem: z.string().optional(),
      }),
    )
    .optional(),
  /** Of a cluster: answers to the question's chains, in its order. */
  chains: z
    .array(
      z.object({
        namespace: z.string(),
        name: z.string(),
        /** Counts the changes of its spec; not there: there is no such chain. */
        generation: z.number().int().min(1).optional(),
        /** As k0rdent's API has it. */
        spec: z.json().optional(),
        /** Why k0rdent does not go by it. */
        problem: z.string().optional(),
      }),
    )
    .optional(),
  containers: z.array(
    z.object({
      container: z.string(),
      found: z.boolean(),
      containerId: z.string().optional(),
      imageId: sha256.optional(),
      imageReference: z.string().optional(),
      /** What a release calls the image that an upgrade brought, where `imageReference` names it otherwise: pinned. */
      broughtAs: z.string().optional(),
      /** `repository@sha256:…` that the engine knows for the image. */
      repoDigests: z.array(z.string()).default([]),
      running: z.boolean().default(false),
      state: z.string().optional(),
      health: z.enum(['none', 'starting', 'healthy', 'unhealthy']).default('none'),
      /** Of a workload: pods that it is to have; 0: it is scaled to zero, or there is no node for it. */
      replicas: z.number().int().min(0).optional(),
      /**
       * Who made it and would set it back (`swarm:shop_web`, `helm:shop/web`, `argocd:web`, `flux:Kustomization/shop/web`,
       * `controller:Kafka.example.com/web`): it is refused by name.
       */
      owner: z.string().optional(),
      /** The Compose project that it belongs to. */
      compose: z
        .object({
          project: z.string(),
          service: z.string(),
          /** Paths on the machine where Compose ran. */
          files: z.array(z.string()).default([]),
          /** Why the next `docker compose up` makes the new container once more; not there: it will find nothing to change. */
          because: z.string().optional(),
        })
        .optional(),
      mounts: z
        .array(
          z.object({
            /** Volume name or host path: equal sources are shared data. */
            source: z.string(),
            destination: z.string(),
            kind: z.enum(['volume', 'bind', 'other']),
            writable: z.boolean(),
          }),
        )
        .default([]),
      /** Published ports that are the same after every start. */
      ports: z
        .array(
          z.object({
            port: z.number().int(),
            protocol: z.string(),
            /** Address of the host that it is published on; nothing: all of them. */
            hostIp: z.string().optional(),
            hostPort: z.number().int(),
          }),
        )
        .default([]),
      /** Why it cannot be replaced as it is. */
      problems: z.array(z.string()).default([]),
      /** What a person should know before it is replaced; sentences that go on from its name. */
      warnings: z.array(z.string()).default([]),
    }),
  ),
  images: z.array(
    z.object({
      reference: z.string(),
      present: z.boolean(),
      id: sha256.optional(),
      repoDigests: z.array(z.string()).default([]),
      /** From the archive, where one was asked about. */
      archiveId: sha256.optional(),
      problem: z.string().optional(),
    }),
  ),
});
export type Observation = z.infer<typeof observation>;

export const idempotencyKey = z.string().min(1).max(200);
