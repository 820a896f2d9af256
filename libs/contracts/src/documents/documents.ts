import { z } from 'zod';
import { assertNever } from '#kernel';
import { check } from '../actions/checks.js';
import { ephemeralFiles } from '../actions/files.js';
import { around, hooks, upgradeHooks } from '../actions/hooks.js';
import { dataConsistency, dataEngine, snapshotHooks } from '../actions/inputs.js';
import { API_VERSION } from '../apps.js';
import { dottedName, name, seconds, sha256 } from '../names.js';
import { dockerEndpointIssues } from '../plan/docker-endpoint.js';
import { kubernetesEndpointIssues } from '../plan/kubernetes-endpoint.js';
import type { EndpointIssue } from '../plan/endpoint-issue.js';
import { DRIVER_NAMES, type DriverName } from '../plan/step.js';
import { credentials, type Credentials } from '../plan/target-credentials.js';
import { k0rdentService } from '../plan/k0rdent-service.js';
import { workload } from '../plan/workload.js';
import { security } from '../policy/emergency.js';
import { environmentPolicy } from '../policy/environment-policy.js';
import {
  artifactTables,
  bundle,
  releaseComponent,
  requirements,
  versionText,
} from './artifacts.js';
import { mirrorSpec, trustRule } from './mirror.js';
import { clusterChain, serviceTemplateChainDocument, upgradeChainDocument } from './chains.js';

const labels = z.record(z.string(), z.string());
const metadata = z.strictObject({ name, labels: labels.default({}) });

function holdsNoPassword(url: string): boolean {
  const parsed = URL.parse(url);
  // what is no url at all has been refused for that
  return parsed === null || (parsed.username === '' && parsed.password === '');
}

function endpointIssues(
  driver: DriverName,
  endpoint: string,
  given: Credentials | undefined,
): readonly EndpointIssue[] {
  switch (driver) {
    case 'docker':
      return dockerEndpointIssues(endpoint, given);
    case 'kubernetes':
      return kubernetesEndpointIssues(endpoint, given);
    case 'model':
      return [];
    default:
      return assertNever(driver, 'driver');
  }
}

export const environmentSpec = z.strictObject({
  targets: z
    .array(
      z
        .strictObject({
          name,
          driver: z.enum(DRIVER_NAMES),
          /** Where it is reached from; default `main`. */
          site: name.default('main'),
          /**
           * For Docker `unix:///var/run/docker.sock`, `ssh://user@host[:port][/path of the socket]` or `tcp://host:port`; for Kubernetes
           * `https://host:port` of its API server, or `kubeconfig://context`; a folder for the model target.
           */
          endpoint: z.string().min(1),
          /** References to the secrets that the endpoint is reached with; none for a Unix socket. */
          credentials: credentials.optional(),
          /** Upgrades that may run on it at the same time; default 4. */
          maxUpgrades: z.number().int().min(1).default(4),
          /** What groups select by: `zone: a`. */
          labels: labels.optional(),
        })
        .superRefine(({ driver, endpoint, credentials: given }, context) => {
          for (const { path, message } of endpointIssues(driver, endpoint, given))
            context.addIssue({ code: 'custom', path: [...path], message });
        }),
    )
    .min(1),
  /** Where images are brought first, and pulled from; default: from where the release says. */
  mirror: mirrorSpec.optional(),
  /** Who must have signed which images; default: nobody. */
  trust: z.array(trustRule).max(50).optional(),
  /** What holds for every upgrade here. */
  policy: environmentPolicy.default({}),
  /** Where events are sent, signed as Standard Webhooks are (https://www.standardwebhooks.com). */
  webhooks: z
    .array(
      z.strictObject({
        url: z
          .url({ protocol: /^https?$/ })
          .refine(
            holdsNoPassword,
            'must not hold a user name or a password: documents are read by many',
          ),
        /** Event types (`upgrade-succeeded` …); empty: all. */
        events: z.array(z.string()).default([]),
        /** Reference to the signing secret: `env:LIFTLOCK_SECRET_<NAME>` of the notifier. */
        secret: z.string().regex(/^env:LIFTLOCK_SECRET_[A-Z0-9_]+$/),
      }),
    )
    .default([]),
});

/** A number, or a share of the instances of a component such as `25%`: rounded down, and at least one. */
const share = z.union([
  z.number().int().min(1),
  z.string().regex(/^(100|[1-9]\d?)%$/, 'must be a whole number from 1 on, or 1% to 100%'),
]);

export const STRATEGIES = ['recreate', 'rolling'] as const;
/** How an instance comes from its old version to its new one. */
export type Strategy = (typeof STRATEGIES)[number];

export const componentSpec = z.strictObject({
  name,
  /** Names of the environment's targets that it runs on: one instance on each. */
  targets: z.array(name).min(1),
  /** The container's name; default: the component's. Of Docker. */
  container: z.string().min(1).optional(),
  /** The Deployment, StatefulSet or DaemonSet that it is on Kubernetes; this or `service` is needed there. */
  workload: workload.optional(),
  /** The service of k0rdent's that it is; of a target that is k0rdent's management cluster. */
  service: k0rdentService.optional(),
  /**
   * `recreate`: it is stopped before its new version starts. `rolling`: its platform brings new pods up as old ones go; of Kubernetes. Default:
   * `recreate`, but on Kubernetes `rolling` where it has neither data that is snapshot while it is stopped nor hooks for that moment.
   */
  strategy: z.enum(STRATEGIES).optional(),
  /** Components that are upgraded and verified before this one. */
  dependsOn: z.array(name).default([]),
  /** What every version of it requires of others, unless a release says otherwise; checked at every moment of a plan. */
  requires: requirements.optional(),
  /** Paths inside the container whose data is snapshot before and restored on the way back. */
  data: z
    .strictObject({
      /**
       * For data on a share: the folder that the backup service of the target's site has it mounted at; `paths` lie within it. Left out: they
       * lie in the container. Of Kubernetes.
       */
      folder: z
        .string()
        .regex(/^(\/[^/\0]+)+$/, 'must be an absolute path without a slash at its end')
        .refine((path) => !/\/\.\.?(\/|$)/.test(path), 'must not hold . or ..')
        .optional(),
      paths: z.array(z.string().startsWith('/')).min(1),
      /**
       * `stopped` (default): the snapshot is taken between stop and start. `paused`: before the stop, while the container stands still; nothing else
       * may run on the data. `running`: before the stop, while it goes on: what changes meanwhile makes it `fuzzy`.
       */
      consistency: dataConsistency.default('stopped'),
      /** What the application does around the reading, in its container: dump, or freeze and thaw. Not with `stopped`, where nothing runs. */
      hooks: snapshotHooks.optional(),
      /**
       * Whether a restore keeps what it finds until its outcome is known good (default: it does). That takes room for both; where there is
       * none the snapshot is refused, unless this is false.
       */
      keepAside: z.boolean().optional(),
      /**
       * `archive` (default): each backup is a file of its own, which needs tar and zstd to be read. `restic`: for what is large and backed up often;
       * what an earlier backup of the application holds already is not written again. The backup service needs restic and a password for it.
       */
      engine: dataEngine.optional(),
    })
    .refine(
      ({ folder, paths }) =>
        folder === undefined || !paths.some((path) => /(^|\/)\.\.?(\/|$)/.test(path)),
      { path: ['paths'], error: 'must not hold . or .. where they lie in a folder' },
    )
    .refine(({ consistency, hooks }) => hooks === undefined || consistency !== 'stopped', {
      path: ['hooks'],
      error:
        'need a container that runs while its data is read: let consistency be paused or running, or make them hooks of the component',
    })
    .optional(),
  /**
   * Written right before the new version starts, and removed when it is verified, and on every other end, on pause and when the
   * upgrade needs a person: for what a version needs once, such as a password for its migration.
   */
  files: ephemeralFiles.default([]),
  checks: z.array(check).default([]),
  /** What is done besides, at certain places of each instance's upgrade; in every hop. */
  hooks: hooks.optional(),
  /** Seconds between the stop signal and SIGKILL; default: the container's own. */
  stopTimeoutSeconds: seconds.optional(),
});

export const applicationSpec = z.strictObject({
  components: z.array(componentSpec).min(1),
  /** What is held around the whole of an upgrade, and let go of on every exit: autoscaling off and on. */
  around: around.optional(),
  /** What is done once for the whole of an upgrade: before its first instance, behind its last one, and on the way back. */
  hooks: upgradeHooks.optional(),
  /** Instances that may be under way at the same time, of those of one wave; default 1. */
  maxParallel: share.default(1),
  /**
   * Instances of one component that may be down at the same time: a wave has no more of them, and the next wave begins when the one
   * before is verified. Left out: as many as `maxParallel` lets.
   */
  maxUnavailable: share.optional(),
  /**
   * Nodes that are ready for pods, of each Kubernetes cluster that is upgraded; default 2: on a single one nothing is left while its pods are
   * made anew. With fewer the upgrade is refused.
   */
  minNodes: z.number().int().min(1).optional(),
  /** Instances of each component that go first, in a wave of their own. */
  canary: share.optional(),
  /** Targets that go together, one group after another; those that no group selects come last. */
  groups: z
    .array(
      z.strictObject({
        name,
        /** Labels that a target must have, all of them. */
        selector: labels,
      }),
    )
    .optional(),
  /**
   * Whether `requires` may be broken while a major upgrade is under way, between components of which one has the new major version
   * and the other the old one; default false. At the start and at the end it must hold all the same.
   */
  coordinatedMajor: z.boolean().optional(),
  /**
   * Names of the chains (`UpgradeChain`, `ServiceTemplateChain`) that say which version may follow which; their edges count
   * together. In place of a name, where a ServiceTemplateChain is in a cluster: it is read when a plan is made, and needs no document.
   * An empty list: no version may follow any. Left out: any release may follow any, in one hop.
   */
  chains: z.array(z.union([dottedName, clusterChain])).optional(),
});

export const releaseSpec = z.strictObject({
  application: name,
  version: versionText,
  /** It mends a weakness: where an environment has an emergency path, it may take it. */
  security: security.optional(),
  /** What this version expands to: the version of each component, whose artifact stands in the lookup tables. */
  bundle: bundle.optional(),
  /** Lookup tables: which artifact each version of a component is. They may hold more versions than the bundle names. */
  artifacts: artifactTables.optional(),
  /** Components that are told here, and not by way of the bundle. */
  components: z.record(name, releaseComponent).default({}),
});

const head = <K extends string>(kind: K) => ({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(kind),
});

export const environmentDocument = z.strictObject({
  ...head('Environment'),
  metadata,
  spec: environmentSpec,
});
export const applicationDocument = z.strictObject({
  ...head('Application'),
  metadata,
  spec: applicationSpec,
});
export const releaseDocument = z.strictObject({
  ...head('Release'),
  metadata: metadata.extend({ name: dottedName }),
  spec: releaseSpec,
});

export const document = z.discriminatedUnion('kind', [
  environmentDocument,
  applicationDocument,
  releaseDocument,
  upgradeChainDocument,
  serviceTemplateChainDocument,
]);
export type EnvironmentDocument = z.infer<typeof environmentDocument>;
export type ApplicationDocument = z.infer<typeof applicationDocument>;
export type ReleaseDocument = z.infer<typeof releaseDocument>;
export type LiftlockDocument = z.infer<typeof document>;

export const DOCUMENT_KINDS = [
  'Environment',
  'Application',
  'Release',
  'UpgradeChain',
  'ServiceTemplateChain',
] as const;
export type DocumentKind = (typeof DOCUMENT_KINDS)[number];
/** As they stand in the API's paths. */
export const DOCUMENT_COLLECTIONS = {
  environments: 'Environment',
  applications: 'Application',
  releases: 'Release',
  upgradechains: 'UpgradeChain',
  servicetemplatechains: 'ServiceTemplateChain',
} as const satisfies Record<string, DocumentKind>;

/** The schema of each kind. */
export const DOCUMENT_SCHEMAS = {
  Environment: environmentDocument,
  Application: applicationDocument,
  Release: releaseDocument,
  UpgradeChain: upgradeChainDocument,
  ServiceTemplateChain: serviceTemplateChainDocument,
} as const satisfies Record<DocumentKind, unknown>;

export const storedDocument = z.object({
  kind: z.enum(DOCUMENT_KINDS),
  name: dottedName,
  /** Counts the changes, from 1. */
  generation: z.number().int().min(1),
  digest: sha256,
  createdAt: z.string(),
  document,
});
export type StoredDocument = z.infer<typeof storedDocument>;
