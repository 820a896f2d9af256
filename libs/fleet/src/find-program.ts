import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where Debian and others put servers that are not on every user's PATH. */
const MORE_FOLDERS = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
];

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The full path of a program on the PATH or in the usual folders. */
export function findProgram(name: string): string | undefined {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean),
    ...MORE_FOLDERS,
  ];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

const DEBIAN_POSTGRES = '/usr/lib/postgresql';

/**
 * The folder with both `initdb` and `postgres`: Debian's newest major first (its programs are not on the PATH), else
 * the PATH's. A lone `postgres` without its `initdb` does not count.
 */
export function findPostgresFolder(): string | undefined {
  const debian = listFolder(DEBIAN_POSTGRES)
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(b) - Number(a))
    .map((major) => join(DEBIAN_POSTGRES, major, 'bin'));
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return [...debian, ...onPath, ...MORE_FOLDERS].find((folder) =>
    ['initdb', 'postgres'].every((name) => isExecutable(join(folder, name))),
  );
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // not Debian's layout
    return [];
  }
}
