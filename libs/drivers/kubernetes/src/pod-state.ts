import type { Pod } from './objects.js';

export function isReady({ status, metadata }: Pod): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    (status?.conditions ?? []).some((one) => one.type === 'Ready' && one.status === 'True')
  );
}

export function isEnding({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined;
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
