import { posix } from 'node:path';
import { cleanPath, isWithin, outermost, type DataPlaces } from '#drivers/data';
import { LiftlockError } from '#kernel';
import { nameOf, type ContainerInfo } from './engine.js';

export type MountPoint = ContainerInfo['Mounts'][number];

/** Where a container's data lies. */
export interface ContainerPlaces extends DataPlaces {
  /** The volumes and binds that hold the paths: at a path, above it, and below it. */
  readonly mountPoints: readonly MountPoint[];
  /** The parts of those mounts that are the data, for telling whether something else uses them. */
  readonly parts: ReadonlyArray<{ readonly mount: MountPoint; readonly below: string }>;
}

/**
 * @throws LiftlockError `data_missing` when a path is not on a volume or bind: what lies in a container's own file system
 * stays with that container, so the new one would not see it.
 */
export function dataPlaces(container: ContainerInfo, paths: readonly string[]): ContainerPlaces {
  const clean = outermost(paths);
  const tmpfs = Object.keys(container.HostConfig.Tmpfs ?? {}).map(cleanPath);
  const parts = clean.flatMap((path) => {
    const above = container.Mounts.filter(({ Destination }) => isWithin(path, Destination)).sort(
      (a, b) => b.Destination.length - a.Destination.length,
    );
    const holder = above[0];
    const hidden = tmpfs.some(
      (one) => isWithin(path, one) && one.length > (holder?.Destination.length ?? 0),
    );
    if (holder === undefined || hidden || !isKept(holder)) throw notKept(container, path);
    const below = container.Mounts.filter(
      (mount) => isKept(mount) && mount !== holder && isWithin(mount.Destination, path),
    );
    return [
      { mount: holder, below: posix.relative(cleanPath(holder.Destination), path) },
      ...below.map((mount) => ({ mount, below: '' })),
    ];
  });
  const mountPoints = [...new Set(parts.map(({ mount }) => mount))];
  const mounts = mountPoints.map(({ Destination }) => cleanPath(Destination));
  return { paths: clean, mounts, mountPoints, parts };
}

/** What the container may only read comes to the helper so, too; putting it back needs more. */
export function readOnlyAsWritable({ mountPoints }: ContainerPlaces): string[] {
  return mountPoints
    .filter(({ RW }) => !RW)
    .map(
      ({ Type, Name, Source, Destination }) =>
        `${Type === 'volume' ? (Name ?? Source) : Source}:${Destination}`,
    );
}

function isKept({ Type }: MountPoint): boolean {
  return Type === 'volume' || Type === 'bind';
}

function notKept(container: ContainerInfo, path: string): LiftlockError {
  const kept = container.Mounts.filter(isKept).map(({ Destination }) => Destination);
  return new LiftlockError(
    'data_missing',
    `the path ${path} of ${nameOf(container)} is not on a volume or a bind mount, so it ends with the container; ` +
      `its mounts are: ${kept.join(', ') || 'none'}`,
    { details: { container: nameOf(container), path, mounts: kept } },
  );
}
