import type { InstanceName } from './instance.js';
import type { Condition, Workload } from './objects.js';
import { isObserved, type OwnPod } from './own-pods.js';
import { hasEnded } from './pod-state.js';

/** How far a rollout is. */
export interface Rollout {
  readonly isComplete: boolean;
  /** Pods that are wanted. */
  readonly wanted: number;
  /** What is missing, or `3 of 3 pods are new and available`. */
  readonly detail: string;
}

/** Complete: the controller has seen the template, all wanted pods are of it and available, and no other runs, not even one that is ending. */
export function rolloutOf(
  { kind }: InstanceName,
  workload: Workload,
  pods: readonly OwnPod[],
): Rollout {
  const { spec, status = {} } = workload;
  const isDaemon = kind === 'DaemonSet';
  const wanted = isDaemon ? (status.desiredNumberScheduled ?? 0) : (spec.replicas ?? 1);
  const updated = (isDaemon ? status.updatedNumberScheduled : status.updatedReplicas) ?? 0;
  const available =
    (kind === 'Deployment'
      ? status.availableReplicas
      : isDaemon
        ? status.numberAvailable
        : status.readyReplicas) ?? 0;
  const say = (isComplete: boolean, detail: string): Rollout => ({ isComplete, wanted, detail });
  if (!isObserved(workload)) return say(false, 'its controller has not seen the change yet');
  if (wanted === 0) return say(false, 'no pod of it is wanted');
  const old = oldPods(pods).map(({ pod }) => pod.metadata.name);
  // of a StatefulSet the count is of the newest revision only while it rolls
  const isUpdated =
    updated >= wanted ||
    (kind === 'StatefulSet' && status.currentRevision === status.updateRevision);
  if (!isUpdated) return say(false, `${updated} of ${wanted} pods are new`);
  if (old.length > 0) return say(false, `old pods are left: ${old.join(', ')}`);
  const word = kind === 'StatefulSet' ? 'ready' : 'available';
  if (available < wanted) return say(false, `${available} of ${wanted} pods are ${word}`);
  return say(true, `${wanted} of ${wanted} pods are new and ${word}`);
}

/** Those of another template than the present one, that still run or are about to. */
export function oldPods(pods: readonly OwnPod[]): readonly OwnPod[] {
  return pods.filter(({ pod, isNew }) => !isNew && !hasEnded(pod));
}

/** What a Deployment's controller says that keeps it from making pods, or from going on. */
export function conditionOf(
  { status }: Workload,
  type: string,
  wanted: string,
): Condition | undefined {
  return status?.conditions?.find((one) => one.type === type && one.status === wanted);
}
