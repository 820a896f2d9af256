import type { ContainerStatus, Pod } from './objects.js';
import type { OwnPod } from './own-pods.js';

export function isReady({ status, metadata }: Pod): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    (status?.conditions ?? []).some((one) => one.type === 'Ready' && one.status === 'True')
  );
}

export function isEnding({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/**
 * Nothing of it runs any more, nor will: its object may stay for long after. A kubelet lets one that is deleted go in its own time, and what was
 * evicted is left for people to see.
 */
export function hasEnded(pod: Pod): boolean {
  const { phase, containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  if (phase === 'Succeeded' || phase === 'Failed') return true;
  return (
    isEnding(pod) &&
    containerStatuses.length === pod.spec.containers.length &&
    containerStatuses.every(isOver) &&
    initContainerStatuses.every(({ state }) => state?.running === undefined)
  );
}

/**
 * Of a container of a pod that is deleted. Where it was removed before its kubelet saw how it ended, it is said to wait, and to have ended before,
 * until the pod's object goes, some 40 s later. The restart count tells that from one that was lost while its pod was to go on, and is made anew.
 */
function isOver(status: ContainerStatus): boolean {
  return status.state?.terminated !== undefined || isLost(status);
}

function isLost({ state, lastState, restartCount }: ContainerStatus): boolean {
  return (
    state?.terminated === undefined &&
    state?.running === undefined &&
    lastState?.terminated?.reason === 'ContainerStatusUnknown' &&
    restartCount === 0
  );
}

/** Whether it is deleted and over, and its kubelet has missed how: its object stays for some 40 s more. */
export function wasMissed(pod: Pod): boolean {
  return isEnding(pod) && hasEnded(pod) && (pod.status?.containerStatuses ?? []).some(isLost);
}

/** Whether one of its containers runs at this moment. */
export function runs({ status }: Pod, container: string): boolean {
  const found = status?.containerStatuses?.find(({ name }) => name === container);
  return found?.state?.running !== undefined;
}

/** Changes with each run of a container: a restart is another one. */
export function runOf({ metadata, status }: Pod, container: string): string {
  const found = status?.containerStatuses?.find(({ name }) => name === container);
  return `${metadata.uid} ${found?.restartCount ?? 0} ${found?.state?.running?.startedAt ?? ''}`;
}

/** The pod that a command is run in: one that runs, of the present template and ready where there is one; of several the first by name. */
export function podToUse(pods: readonly OwnPod[], container: string): Pod | undefined {
  const rank = ({ pod, isNew }: OwnPod): number => (isNew ? 2 : 0) + (isReady(pod) ? 1 : 0);
  return pods
    .filter(({ pod }) => !isEnding(pod) && runs(pod, container))
    .toSorted((one, other) => rank(other) - rank(one))[0]?.pod;
}
