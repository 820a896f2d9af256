import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { cleanPath } from './data-places.js';

/** A mount as proc_pid_mountinfo(5) tells it. */
export interface Mount {
  /** `<major>:<minor>`: of one file system the same wherever it is mounted. */
  readonly device: string;
  /** Of the file system, what is mounted. */
  readonly root: string;
  /** Where. */
  readonly at: string;
  readonly isReadOnly: boolean;
  /** Of file system: `nfs4`. */
  readonly type: string;
  /** A device, an export: `10.0.0.5:/export`. */
  readonly source: string;
}

/** @param process number, or `self`; @returns in the order in which they were mounted */
export async function mountsOf(process: number | 'self'): Promise<Mount[]> {
  return parseMounts(await readFile(`/proc/${process}/mountinfo`, 'utf8'));
}

export function parseMounts(text: string): Mount[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const words = line.split(' ');
      // optional fields of any number end with a dash
      const dash = words.indexOf('-', 6);
      const [device = '', root = '', at = '', options = ''] = words.slice(2);
      const [type = '', source = '', ofAll = ''] = words.slice(dash + 1);
      const isReadOnly = [options, ofAll].some((list) => list.split(',').includes('ro'));
      return {
        ...{ device, root: plain(root), at: plain(at) },
        ...{ isReadOnly, type: plain(type), source: plain(source) },
      };
    });
}

/** The one that is seen at a path: the innermost, and of several at one place the last. */
export function mountAt(mounts: readonly Mount[], path: string): Mount | undefined {
  // the kernel's paths are clean: those of all mounts are compared with those of all open files of a machine, while a service is away
  const below = `${cleanPath(path)}/`;
  return mounts.reduce<Mount | undefined>(
    (best, one) =>
      (best === undefined || one.at.length >= best.at.length) &&
      (one.at === '/' || below.startsWith(`${one.at}/`))
        ? one
        : best,
    undefined,
  );
}

/** Where a path is on its file system, whatever it is called by whoever sees it. */
export function placeOf(
  mounts: readonly Mount[],
  path: string,
): { readonly device: string; readonly path: string } | undefined {
  const mount = mountAt(mounts, path);
  if (mount === undefined) return undefined;
  return { device: mount.device, path: posix.join(mount.root, posix.relative(mount.at, path)) };
}

/** Blanks and backslashes stand there as octal numbers. */
function plain(word: string): string {
  return word.replace(/\\([0-7]{3})/g, (_all, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
