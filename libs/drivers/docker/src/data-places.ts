import { posix } from 'node:path';
import { LiftlockError } from '#kernel';
import { nameOf, type ContainerInfo } from './engine.js';

export type MountPoint = ContainerInfo['Mounts'][number];

/** Where a container's data lies. */
export interface DataPlaces {
  /** Clean absolute paths, none of them below another, in order. */
  readonly paths: readonly string[];
  /** The volumes and binds that hold them: at a path, above it, and below it. */
  readonly mounts: readonly MountPoint[];
  /** The parts of those mounts that are the data, for telling whether something else uses them. */
  readonly parts: ReadonlyArray<{ readonly mount: MountPoint; readonly below: string }>;
}

/**
 * @throws LiftlockError `data_missing` when a path is not on a volume or bind: what lies in a container's own file system
 * stays with that container, so the new one would not see it.
 */
export function dataPlaces(container: ContainerInfo, paths: readonly string[]): DataPlaces {
  const clean = outermost(paths.map(cleanPath));
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
  return { paths: clean, mounts: [...new Set(parts.map(({ mount }) => mount))], parts };
}

export function isWithin(path: string, folder: string): boolean {
  const relative = posix.relative(cleanPath(folder), cleanPath(path));
  return relative === '' || !(relative === '..' || relative.startsWith('../'));
}

/** The mount points at or below a path with every folder between: what cannot be removed while they are mounted. */
export function fixedWithin(places: DataPlaces, path: string): string[] {
  const fixed = new Set<string>();
  for (const { Destination } of places.mounts) {
    for (let at = cleanPath(Destination); isWithin(at, path); at = posix.dirname(at)) {
      fixed.add(at);
      if (at === path || at === '/') break;
    }
  }
  return [...fixed].sort();
}

/** What the container may only read comes to the helper so, too; putting it back needs more. */
export function readOnlyAsWritable({ mounts }: DataPlaces): string[] {
  return mounts
    .filter(({ RW }) => !RW)
    .map(
      ({ Type, Name, Source, Destination }) =>
        `${Type === 'volume' ? (Name ?? Source) : Source}:${Destination}`,
    );
}

export function cleanPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 ? normal.replace(/\/+$/, '') : normal;
}

function outermost(paths: readonly string[]): string[] {
  const all = [...new Set(paths)].sort();
  return all.filter((path) => !all.some((other) => other !== path && isWithin(path, other)));
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
