import type { WorkloadKind } from '#contracts';

/** Where the API keeps objects of a kind. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

const core = (kind: string, plural: string, namespaced = true): Resource => ({
  ...{ group: '', version: 'v1', kind, plural, namespaced },
});
const apps = (kind: string, plural: string): Resource => ({
  ...{ group: 'apps', version: 'v1', kind, plural, namespaced: true },
});

/** What every cluster that is of interest here has at the same place. All else is asked for, see `ApiResources`. */
export const RESOURCES = {
  pods: core('Pod', 'pods'),
  configMaps: core('ConfigMap', 'configmaps'),
  secrets: core('Secret', 'secrets'),
  persistentVolumeClaims: core('PersistentVolumeClaim', 'persistentvolumeclaims'),
  persistentVolumes: core('PersistentVolume', 'persistentvolumes', false),
  events: core('Event', 'events'),
  nodes: core('Node', 'nodes', false),
  replicaSets: apps('ReplicaSet', 'replicasets'),
  controllerRevisions: apps('ControllerRevision', 'controllerrevisions'),
  jobs: { group: 'batch', version: 'v1', kind: 'Job', plural: 'jobs', namespaced: true },
} as const satisfies Record<string, Resource>;

export const WORKLOADS = {
  Deployment: apps('Deployment', 'deployments'),
  StatefulSet: apps('StatefulSet', 'statefulsets'),
  DaemonSet: apps('DaemonSet', 'daemonsets'),
} as const satisfies Record<WorkloadKind, Resource>;

export function isWorkloadKind(kind: string): kind is WorkloadKind {
  return Object.hasOwn(WORKLOADS, kind);
}

export function apiVersionOf({ group, version }: Resource): string {
  return group === '' ? version : `${group}/${version}`;
}

/** The path of one object, or of all of a namespace; without a namespace of all there are. */
export function pathOf(
  resource: Resource,
  at: {
    readonly namespace?: string | undefined;
    readonly name?: string | undefined;
    readonly sub?: string | undefined;
  } = {},
): string {
  const { group, version, plural, namespaced } = resource;
  return [
    group === '' ? '/api' : `/apis/${group}`,
    version,
    ...(namespaced && at.namespace !== undefined
      ? ['namespaces', encodeURIComponent(at.namespace)]
      : []),
    plural,
    ...(at.name === undefined ? [] : [encodeURIComponent(at.name)]),
    ...(at.sub === undefined ? [] : [at.sub]),
  ].join('/');
}
