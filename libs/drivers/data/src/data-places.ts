import { posix } from 'node:path';

/** Where data lies, as the scripts see it. */
export interface DataPlaces {
  /** Archives and lists have the data's paths below this folder, and `/` for the folder itself. Clean; default `/`. */
  readonly root?: string;
  /** Clean absolute paths at or below `root`, none of them below another, in order. */
  readonly paths: readonly string[];
  /** Clean paths of the mount points that hold them: at a path, above it, and below it. */
  readonly mounts: readonly string[];
}

export function isWithin(path: string, folder: string): boolean {
  const relative = posix.relative(cleanPath(folder), cleanPath(path));
  return relative === '' || !(relative === '..' || relative.startsWith('../'));
}

/** The mount points at or below a path with every folder between: what cannot be removed while they are mounted. */
export function fixedWithin(places: DataPlaces, path: string): string[] {
  const fixed = new Set<string>();
  for (const mount of places.mounts) {
    for (let at = mount; isWithin(at, path); at = posix.dirname(at)) {
      fixed.add(at);
      if (at === path || at === '/') break;
    }
  }
  return [...fixed].sort();
}

export function cleanPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 ? normal.replace(/\/+$/, '') : normal;
}

/** Clean, in order, without those below another. */
export function outermost(paths: readonly string[]): string[] {
  const all = [...new Set(paths.map(cleanPath))].sort();
  return all.filter((path) => !all.some((other) => other !== path && isWithin(path, other)));
}

/** A path as archives have it, without the slash before it. */
export function memberOf({ root = '/' }: DataPlaces, path: string): string {
  return posix.relative(root, path) || '.';
}

/** What the scripts tell of a path, as archives and lists have it. */
export function belowRoot({ root = '/' }: Pick<DataPlaces, 'root'>): (path: Buffer) => Buffer {
  if (root === '/') return (path) => path;
  const prefix = Buffer.from(root);
  return (path) => {
    if (!path.subarray(0, prefix.length).equals(prefix)) return path;
    const rest = path.subarray(prefix.length);
    return rest.length === 0 ? Buffer.from('/') : rest;
  };
}
