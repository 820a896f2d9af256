import type { InstanceName } from './instance.js';
import type { KubeObject, OwnerReference, Pod, Workload } from './objects.js';

const REVISION = 'deployment.kubernetes.io/revision';
const HASH = 'controller-revision-hash';

/** A pod that the workload's controller made. */
export interface OwnPod {
  readonly pod: Pod;
  /** Of the template as it is now; false also as long as the controller has not seen that one. */
  readonly isNew: boolean;
}

export interface ControllerRevision extends KubeObject {
  readonly revision: number;
}

/** What only other objects tell of a workload's pods. */
export interface Revisions {
  /** Of a Deployment: UIDs of its ReplicaSets, with the revision of each. */
  readonly replicaSets: ReadonlyMap<string, string | undefined>;
  /** Of a DaemonSet: label of the pods that are of its newest template. */
  readonly newestHash: string | undefined;
}

/** Of all pods those of the workload, those that are ending among them, by name. */
export function ownPods(
  instance: InstanceName,
  workload: Workload,
  pods: readonly Pod[],
  revisions: Revisions,
): OwnPod[] {
  return pods
    .filter((pod) => isOwn(instance, workload, pod, revisions))
    .map((pod) => ({ pod, isNew: isOfNewest(instance, workload, pod, revisions) }))
    .toSorted((one, other) => (one.pod.metadata.name < other.pod.metadata.name ? -1 : 1));
}

export function replicaSetsOf(
  workload: Workload,
  all: readonly KubeObject[],
): Map<string, string | undefined> {
  const own = all.filter((one) => controllerOf(one)?.uid === workload.metadata.uid);
  return new Map(
    own.map(({ metadata }) => [metadata.uid, metadata.annotations?.[REVISION]] as const),
  );
}

export function newestHashOf(
  workload: Workload,
  all: readonly ControllerRevision[],
): string | undefined {
  const [newest] = all
    .filter((one) => controllerOf(one)?.uid === workload.metadata.uid)
    .toSorted((one, other) => other.revision - one.revision);
  return newest?.metadata.labels?.[HASH];
}

/** Number of a Deployment's newest ReplicaSet, as its controller tells. */
export function revisionOf({ metadata }: Workload): string | undefined {
  return metadata.annotations?.[REVISION];
}

export function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}

/** Whether its controller has seen it as it is now. */
export function isObserved({ metadata, status }: Workload): boolean {
  return (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}

function isOwn(
  { kind }: InstanceName,
  workload: Workload,
  pod: Pod,
  { replicaSets }: Revisions,
): boolean {
  const uid = controllerOf(pod)?.uid;
  if (uid === undefined) return false;
  return kind === 'Deployment' ? replicaSets.has(uid) : uid === workload.metadata.uid;
}

function isOfNewest(
  { kind }: InstanceName,
  workload: Workload,
  pod: Pod,
  { replicaSets, newestHash }: Revisions,
): boolean {
  if (!isObserved(workload)) return false;
  const hash = pod.metadata.labels?.[HASH];
  switch (kind) {
    case 'Deployment': {
      const revision = revisionOf(workload);
      return revision !== undefined && replicaSets.get(controllerOf(pod)?.uid ?? '') === revision;
    }
    case 'StatefulSet':
      return hash !== undefined && hash === workload.status?.updateRevision;
    default:
      return hash !== undefined && hash === newestHash;
  }
}
