import { makerOf, parseWorkload, WORKLOAD_KINDS, type WorkloadPlace } from '#contracts';
import { LiftlockError } from '#kernel';
import { titleOf, type Cluster } from './cluster.js';
import type { ClusterName } from './cluster-name.js';
import type { PodContainer, PodTemplate, Workload } from './objects.js';
import { WORKLOADS, type Resource } from './resources.js';

export type InstanceName = WorkloadPlace;

/** @param text as `workloadText` writes it @throws LiftlockError `invalid_step` */
export function parseInstance(text: string): InstanceName {
  const place = parseWorkload(text);
  if (place !== undefined && place.namespace !== '' && place.name !== '') return place;
  throw new LiftlockError(
    'invalid_step',
    `${text} is no workload: it must be NAMESPACE/KIND/NAME, and may end with /CONTAINER; the kind is one of ${WORKLOAD_KINDS.join(', ')}`,
  );
}

export function resourceOf({ kind }: InstanceName): Resource {
  return WORKLOADS[kind];
}

/** As people write it. */
export function instanceTitle(instance: InstanceName): string {
  return titleOf(instance, instance);
}

export interface PlannedInstance {
  readonly container: string;
  readonly containerId?: string | undefined;
}

/**
 * The workload that was planned with.
 * @throws LiftlockError `drift` where it is gone, or another one has its name.
 */
export async function plannedWorkload(
  cluster: Cluster,
  { container, containerId }: PlannedInstance,
  signal: AbortSignal,
): Promise<Workload> {
  const instance = parseInstance(container);
  const found = await findWorkload(cluster, instance, signal);
  const title = instanceTitle(instance);
  if (found === undefined)
    throw drift(
      cluster,
      container,
      `there is no ${title} any more: create it again, or make a new plan`,
    );
  assertSame(cluster, { container, containerId }, found);
  return found;
}

/** The same object, by its UID; an earlier hop made no other one. */
export function assertSame(
  cluster: ClusterName,
  { container, containerId }: PlannedInstance,
  found: Workload,
): void {
  if (containerId === undefined || makerOf(containerId) !== undefined) return;
  const { uid } = found.metadata;
  if (uid === containerId) return;
  throw drift(
    cluster,
    container,
    `${instanceTitle(parseInstance(container))} was deleted and made again since the plan was made (UID ${containerId} then, ${uid} now): make a new plan`,
  );
}

export async function findWorkload(
  cluster: Cluster,
  instance: InstanceName,
  signal: AbortSignal,
): Promise<Workload | undefined> {
  return cluster.get<Workload>(resourceOf(instance), instance, signal);
}

/** The container that is upgraded, in a template. @throws LiftlockError `drift` where nobody can tell which. */
export function containerIn(
  cluster: ClusterName,
  instance: InstanceName,
  { spec: { containers } }: PodTemplate,
): PodContainer {
  const wanted = instance.container ?? instance.name;
  const found =
    containers.find(({ name }) => name === wanted) ??
    (instance.container === undefined && containers.length === 1 ? containers[0] : undefined);
  if (found !== undefined) return found;
  const names = containers.map(({ name }) => name).join(', ');
  throw drift(
    cluster,
    instanceTitle(instance),
    `the pods of ${instanceTitle(instance)} have no container ${wanted}, but: ${names}; name one of them in the component’s workload.container`,
  );
}

/** Pods that are wanted; of a DaemonSet undefined, since its nodes decide. */
export function replicasOf({ spec }: Workload, { kind }: InstanceName): number | undefined {
  return kind === 'DaemonSet' ? undefined : (spec.replicas ?? 1);
}

export function drift(cluster: ClusterName, container: string, why: string): LiftlockError {
  return new LiftlockError('drift', `${why} (target ${cluster.name})`, {
    details: { target: cluster.name, container },
  });
}
