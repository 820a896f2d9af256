import { readdir, readFile, readlink } from 'node:fs/promises';
import { isWithin } from './data-places.js';
import type { FolderPlaces } from './folder-places.js';
import { mountsOf, placeOf, type Mount } from './mountinfo.js';
import { eachProcess, scriptProcesses } from './script-marks.js';

/**
 * `process <number> (<name>)` of each process of this machine that has a file of the data open, also by another mount and within a container; but for
 * our own scripts. A shell that merely stands in a folder does not count. What this process may not see, and what runs elsewhere, is not seen.
 */
export async function fileUsers(places: FolderPlaces): Promise<string[]> {
  const data = [...places.paths, ...places.mounts.slice(1)].flatMap(
    (path) => placeOf(places.all, path) ?? [],
  );
  const ours = await scriptProcesses();
  const known = new Map<string, Promise<readonly Mount[]>>();
  const users: string[] = [];
  await eachProcess(async (number) => {
    if (number === process.pid || ours.has(number)) return;
    const files = await openFiles(number);
    if (files.length === 0) return;
    const mounts = await mountsSeenBy(number, known);
    const isUser = files.some((file) => {
      const place = placeOf(mounts, file);
      return data.some((one) => one.device === place?.device && isWithin(place.path, one.path));
    });
    if (isUser) users.push(`process ${number} (${await nameOf(number)})`);
  });
  return users;
}

/** As their own process sees them. */
async function openFiles(number: number): Promise<string[]> {
  const folder = `/proc/${number}/fd`;
  const descriptors = await readdir(folder).catch(() => []);
  const files = await Promise.all(
    descriptors.map((one) => readlink(`${folder}/${one}`).catch(() => '')),
  );
  // pipes and sockets are no paths
  return files.filter((file) => file.startsWith('/') && !file.startsWith('/dev/'));
}

/** Most processes see the same. */
async function mountsSeenBy(
  number: number,
  known: Map<string, Promise<readonly Mount[]>>,
): Promise<readonly Mount[]> {
  const namespace = await readlink(`/proc/${number}/ns/mnt`).catch(() => `of ${number}`);
  const mounts = known.get(namespace) ?? mountsOf(number).catch(() => []);
  known.set(namespace, mounts);
  return mounts;
}

async function nameOf(number: number): Promise<string> {
  const name = await readFile(`/proc/${number}/comm`, 'utf8').catch(() => 'ended meanwhile');
  return name.trim();
}
