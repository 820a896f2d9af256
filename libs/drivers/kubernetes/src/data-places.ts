import { cleanPath, isWithin, outermost, type DataPlaces } from '#drivers/data';
import { LiftlockError } from '#kernel';
import { instanceTitle, type InstanceName } from './instance.js';
import type { PodContainer, PodTemplate, Volume, VolumeMount } from './objects.js';

/** Where a workload's data lies. */
export interface ClaimPlaces extends DataPlaces {
  /** What a pod needs to have the same at the same paths. */
  readonly volumeMounts: readonly VolumeMount[];
  readonly volumes: readonly Volume[];
}

/**
 * @param claims of a StatefulSet, by the names of their templates
 * @throws LiftlockError `data_missing` when a path is not on a claim or a share: what lies in a pod goes with it
 */
export function claimPlaces(
  instance: InstanceName,
  { spec }: PodTemplate,
  container: PodContainer,
  paths: readonly string[],
  claims: ReadonlyMap<string, string> = new Map(),
): ClaimPlaces {
  const { volumeMounts: all = [] } = container;
  const volumes: readonly Volume[] = [
    ...(spec.volumes ?? []),
    ...[...claims].map(([name, claimName]) => ({ name, persistentVolumeClaim: { claimName } })),
  ];
  const volumeOf = ({ name }: VolumeMount): Volume | undefined =>
    volumes.find((volume) => volume.name === name);
  const clean = outermost(paths);
  const used = new Set<VolumeMount>();
  for (const path of clean) {
    const [holder] = all
      .filter(({ mountPath }) => isWithin(path, mountPath))
      .toSorted((one, other) => other.mountPath.length - one.mountPath.length);
    const volume = holder === undefined ? undefined : volumeOf(holder);
    if (holder === undefined || !isKept(volume)) throw notKept(instance, path, all, volume);
    used.add(holder);
    for (const mount of all)
      if (isWithin(mount.mountPath, path) && isKept(volumeOf(mount))) used.add(mount);
  }
  const mounted = [...used];
  const names = new Set(mounted.map(({ name }) => name));
  return {
    paths: clean,
    mounts: mounted.map(({ mountPath }) => cleanPath(mountPath)),
    // what its pods may only read has to be put back, too
    volumeMounts: mounted.map((mount) => ({ ...mount, readOnly: false })),
    volumes: volumes.filter(({ name }) => names.has(name)),
  };
}

function isKept(volume: Volume | undefined): boolean {
  return volume?.persistentVolumeClaim !== undefined || volume?.nfs !== undefined;
}

function notKept(
  instance: InstanceName,
  path: string,
  mounts: readonly VolumeMount[],
  volume: Volume | undefined,
): LiftlockError {
  const why =
    volume?.hostPath === undefined
      ? 'is on no PersistentVolumeClaim or share, so it ends with its pod'
      : 'is on the disk of a node (hostPath), where no other pod is sure to find it: have it on a claim, or name it by data.folder where the backup service has it mounted';
  const all = mounts.map(({ mountPath }) => mountPath);
  return new LiftlockError(
    'data_missing',
    `the path ${path} of ${instanceTitle(instance)} ${why}; its mounts are: ${all.join(', ') || 'none'}`,
    { details: { path, mounts: all } },
  );
}
