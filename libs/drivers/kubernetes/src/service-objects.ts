import type { Condition, KubeObject, LabelSelector } from './objects.js';

/** k0rdent's objects, with the fields that are read here (https://github.com/k0rdent/kcm, `api/v1beta1`). */
export const K0RDENT_GROUP = 'k0rdent.mirantis.com';

export interface ServiceEntry {
  readonly name: string;
  readonly namespace?: string;
  readonly template: string;
  readonly templateChain?: string;
  /** Of the template; left out: k0rdent asks the template. */
  readonly version?: string;
  /** Nothing is done about it. */
  readonly disable?: boolean;
}

/** Which clusters a MultiClusterService is for, and what becomes of its services in those that no longer are: they stay, or are removed (the default). */
export interface Selection {
  readonly clusterSelector?: LabelSelector;
  readonly keepServicesOnSelectorMismatch?: boolean;
}

/** A ClusterDeployment or a MultiClusterService. */
export interface HolderObject extends KubeObject {
  readonly spec: {
    readonly serviceSpec?: { readonly services?: readonly ServiceEntry[] };
  } & Selection;
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly Condition[];
    /** Of a ClusterDeployment: of its own, and of all MultiClusterServices that select it. */
    readonly services?: readonly ServiceStatus[];
    readonly servicesUpgradePaths?: readonly ServicePaths[];
  };
}

export interface ServiceStatus {
  readonly name: string;
  readonly namespace: string;
  readonly template: string;
  readonly state: 'Deployed' | 'Provisioning' | 'Failed' | 'Pending' | 'Deleting' | 'Deleted';
  readonly failureMessage?: string;
}

export interface ServicePaths {
  readonly name: string;
  readonly namespace: string;
  /** That these lead from. */
  readonly template: string;
  readonly availableUpgrades?: ReadonlyArray<{
    /** Until 1.5. */
    readonly upgradePaths?: readonly string[];
    readonly versions?: ReadonlyArray<{ readonly name: string }>;
  }>;
}

/** A ServiceTemplate or a ServiceTemplateChain. */
export interface Validated extends KubeObject {
  readonly spec?: unknown;
  readonly status?: { readonly valid?: boolean; readonly validationError?: string };
}
