import type { Pod } from './objects.js';

/** What a node tells of the image that a container runs. */
export interface RunningImage {
  /** ID of its configuration: `sha256:…` */
  readonly id?: string;
  /** `repository@sha256:…` */
  readonly digest?: string;
}

/**
 * As the kubelet writes it: of Docker `docker-pullable://repository@sha256:…`, or `docker://sha256:…` where it was not pulled; of containerd
 * and CRI-O `repository@sha256:…`, or `sha256:…` (of the configuration) where it was not.
 */
export function parseImageId(imageId: string): RunningImage {
  const bare = imageId.replace(/^[a-z0-9+.-]+:\/\//, '');
  if (/^sha256:[0-9a-f]{64}$/.test(bare)) return { id: bare };
  return /^.+@sha256:[0-9a-f]{64}$/.test(bare) ? { digest: bare } : {};
}

/** What a container of these pods runs; of each pod that tells. */
export function runningImages(pods: readonly Pod[], container: string): RunningImage[] {
  return pods.flatMap(({ status }) => {
    const found = status?.containerStatuses?.find(({ name }) => name === container);
    return found?.imageID ? [parseImageId(found.imageID)] : [];
  });
}

/** The digest that a reference ends with. */
export function digestIn(reference: string): string | undefined {
  return /@(sha256:[0-9a-f]{64})$/.exec(reference)?.[1];
}
