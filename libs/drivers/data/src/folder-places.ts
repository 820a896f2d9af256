import { readlink, realpath } from 'node:fs/promises';
import { posix } from 'node:path';
import { LiftlockError } from '#kernel';
import { cleanPath, isWithin, outermost, type DataPlaces } from './data-places.js';
import { mountAt, mountsOf, placeOf, type Mount } from './mountinfo.js';

/** Data on a folder of this machine. */
export interface FolderPlaces extends DataPlaces {
  readonly root: string;
  /** All mounts of this machine. */
  readonly all: readonly Mount[];
}

/** Which folder, and what of it. */
export interface FolderPaths {
  readonly folder: string;
  /** Below it, each with a slash before it. */
  readonly paths: readonly string[];
}

/**
 * @param allowed the folders of this machine that data may be in: what a document says alone opens none
 * @throws LiftlockError `misconfigured` for a folder that is not allowed, `data_missing` for one that is not there, `target_refused` for a path
 *   that a symbolic link leads elsewhere
 */
export async function folderPlaces(
  allowed: readonly string[],
  { folder, paths }: FolderPaths,
): Promise<FolderPlaces> {
  const opened = allowed.filter((one) => isWithin(folder, one));
  if (opened.length === 0) throw notAllowed(folder);
  const root = await realpath(folder).catch((error: unknown) => {
    throw folderMissing(folder, error);
  });
  const real = await Promise.all(opened.map((one) => realpath(one).catch(() => one)));
  if (!real.some((one) => isWithin(root, one))) throw notAllowed(root);
  const all = await mountsOf('self');
  const full = outermost(paths.map((path) => posix.join(root, path)));
  for (const path of full) await refuseDetour(folder, root, path);
  // what is moved aside lies right below the folder, and so on the same file system
  const below = all
    .map(({ at }) => cleanPath(at))
    .filter((at) => at !== root && isWithin(at, root))
    .filter((at) => full.some((path) => isWithin(at, path) || isWithin(path, at)));
  return { root, paths: full, mounts: [root, ...new Set(below)], all };
}

/** What is read must be where the path says. @throws LiftlockError `target_refused` */
export async function refuseLinks({ root, paths }: FolderPlaces): Promise<void> {
  for (const path of paths) {
    const leadsTo = await readlink(path).catch(() => undefined);
    if (leadsTo === undefined) continue;
    throw new LiftlockError(
      'target_refused',
      `/${posix.relative(root, path)} of ${root} is a symbolic link to ${leadsTo}, and holds nothing itself: name the path that it leads to`,
      { details: { path, leadsTo } },
    );
  }
}

/** For the record, and to see that the same is mounted there at another time: `10.0.0.5:/export:/ (nfs4)`. */
export function fileSystemsOf(
  places: FolderPlaces,
): ReadonlyArray<{ readonly path: string; readonly source: string; readonly isReadOnly: boolean }> {
  return places.mounts.flatMap((at) => {
    const mount = mountAt(places.all, at);
    const place = placeOf(places.all, at);
    if (mount === undefined || place === undefined) return [];
    return {
      path: `/${posix.relative(places.root, at)}`,
      // devices need not have the same number again when their host comes back
      source: `${mount.source.replace(/^\/dev\/.*/, '/dev')}:${place.path} (${mount.type})`,
      isReadOnly: mount.isReadOnly,
    };
  });
}

/** Nothing between folder and path may be a link: it would be read, moved and cleared where it leads. */
async function refuseDetour(folder: string, root: string, path: string): Promise<void> {
  for (let at = posix.dirname(path); isWithin(at, root); at = posix.dirname(at)) {
    const found = await realpath(at).catch(() => undefined);
    if (found === at) return;
    if (found !== undefined)
      throw new LiftlockError(
        'target_refused',
        `/${posix.relative(root, at)} of ${folder} is or leads through a symbolic link to ${found}: name the path that it leads to; nothing was touched`,
        { details: { folder, path: at, leadsTo: found } },
      );
    if (at === root) return;
  }
}

function notAllowed(folder: string): LiftlockError {
  return new LiftlockError(
    'misconfigured',
    `the backup service may not touch the folder ${folder}: name it, or one above it, in LIFTLOCK_FOLDERS of the service (with : between them), and start it again`,
    { details: { folder } },
  );
}

function folderMissing(folder: string, cause: unknown): LiftlockError {
  return new LiftlockError(
    'data_missing',
    `${folder} is not there on the machine of the backup service, or cannot be reached: is the share mounted? (${cause instanceof Error ? cause.message : String(cause)})`,
    { cause, details: { folder } },
  );
}
