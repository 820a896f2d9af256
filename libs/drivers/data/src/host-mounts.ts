import type { DataPlaces } from './data-places.js';
import { quote } from './shell-words.js';

/** What an engine mounts into every container. */
const ENGINES_OWN = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'];

/**
 * Fails where a file system that the host mounted lies inside the data, which no container knows of: moving and clearing what is above it would
 * take it along, and empty it.
 * @param fail what the shell does then
 */
export function demandNoHostMounts({ mounts, paths }: DataPlaces, fail: string): string {
  const own = [...mounts, ...ENGINES_OWN];
  const inside = paths.map((path) => `${asInMountinfo(path)}|${asInMountinfo(path)}/*`);
  return [
    // mount points are the fifth word (proc_pid_mountinfo(5))
    'strange=',
    'while read -r id parent device root at rest; do',
    `case "$at" in ${own.map(asInMountinfo).join('|')}) ;; ${inside.join('|')}) strange=$at ;; esac`,
    'done </proc/self/mountinfo',
    `if [ -n "$strange" ]; then printf '%s is a mount of the host inside the data, which cannot be put back: give it to the container as a mount of its own, or leave it out of the paths\\n' "$strange" >&2; ${fail}; fi`,
  ].join('\n');
}

/** Blanks and backslashes stand there as octal numbers. */
function asInMountinfo(path: string): string {
  return quote(
    path.replace(
      /[ \t\n\\]/g,
      (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
    ),
  );
}
