import { z } from 'zod';
import { API_VERSION } from '../apps.js';
import { dottedName, name } from '../names.js';

const version = z.string().min(1).max(128);

/** How a way is looked for in a chain. */
export const PATH_RULES = ['every', 'shortest'] as const;
export type PathRule = (typeof PATH_RULES)[number];

export const upgradeChainSpec = z.strictObject({
  /** Whose releases the versions are. */
  application: name,
  /**
   * `every` (default): the next smallest version first, so that every intermediate version is walked, even where an edge leads
   * straight past it. `shortest`: the fewest hops, by way of the required stops.
   */
  path: z.enum(PATH_RULES).default('every'),
  /** With `path: shortest`: versions that are not skipped when they lie between where it begins and where it ends. */
  requiredStops: z.array(version).default([]),
  supportedVersions: z
    .array(
      z.strictObject({
        version,
        /** Versions that may come next: higher, or, in a chain that leads down, lower. */
        availableUpgrades: z.array(version).default([]),
      }),
    )
    .min(1),
});

export const upgradeChainDocument = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('UpgradeChain'),
  metadata: z.strictObject({
    name: dottedName,
    labels: z.record(z.string(), z.string()).default({}),
  }),
  spec: upgradeChainSpec,
});
export type UpgradeChainDocument = z.infer<typeof upgradeChainDocument>;

/** Metadata as `kubectl get -o yaml` prints it: taken as it is, only the name and the labels mean something here. */
const kubernetesMetadata = z.strictObject({
  name: dottedName,
  namespace: name.optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.number().int().optional(),
  creationTimestamp: z.string().nullable().optional(),
  finalizers: z.array(z.string()).optional(),
  ownerReferences: z.array(z.record(z.string(), z.unknown())).optional(),
  managedFields: z.array(z.record(z.string(), z.unknown())).optional(),
});

/** A template's name, and its version where the chain says one (for all of them, or for none). */
const template = {
  name: dottedName,
  version: version.optional(),
};

/** A ServiceTemplateChain where k0rdent has it. */
export const clusterChain = z.strictObject({
  /** One of the environment's, a Kubernetes cluster. */
  target: name,
  namespace: name,
  name: dottedName,
});
export type ClusterChain = z.infer<typeof clusterChain>;

export const K0RDENT_API_VERSIONS = [
  'k0rdent.mirantis.com/v1alpha1',
  'k0rdent.mirantis.com/v1beta1',
] as const;

/** k0rdent's own document, as it is (https://docs.k0rdent.io, "Upgrading and rolling back deployed services"). */
export const serviceTemplateChainDocument = z.strictObject({
  apiVersion: z.enum(K0RDENT_API_VERSIONS),
  kind: z.literal('ServiceTemplateChain'),
  metadata: kubernetesMetadata,
  spec: z.strictObject({
    /** Each template is the release document of the same name. */
    supportedTemplates: z
      .array(
        z.strictObject({
          ...template,
          availableUpgrades: z.array(z.strictObject(template)).optional(),
        }),
      )
      .optional(),
  }),
  /** What a cluster says of it: taken, and not looked at. */
  status: z.record(z.string(), z.unknown()).optional(),
});
export type ServiceTemplateChainDocument = z.infer<typeof serviceTemplateChainDocument>;
