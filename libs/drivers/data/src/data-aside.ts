import { posix } from 'node:path';
import { fixedWithin, isWithin, type DataPlaces } from './data-places.js';
import { asPattern, call, quote } from './shell-words.js';
import type { DataTools } from './data-tools.js';

/**
 * How the folders begin that hold what was there before a restore: right below the mount point that it lay on, since moving within one file
 * system takes no room and loses nothing. `<name>.gone` is one that is being removed.
 */
const PREFIX = '.liftlock-aside-';
/** In such a folder: all of what was there is in it. Until then the rest of it lies where it was. */
const COMPLETE = 'complete';

/** Patterns (find(1), `-path`) of all that is kept aside at or below a path. */
export function asidePatterns(places: DataPlaces, path: string): string[] {
  return places.mounts
    .filter((mount) => isWithin(mount, path))
    .map((mount) => `${asPattern(mount)}/${PREFIX}*`.replace('//', '/'));
}

/** For find(1): passes over what is kept aside. */
export function spareAside(places: DataPlaces): string {
  const patterns = [...new Set(places.paths.flatMap((path) => asidePatterns(places, path)))];
  if (patterns.length === 0) return '';
  const any = patterns.map((pattern) => `-path ${quote(pattern)}`).join(' -o ');
  return `'(' ${any} ')' -prune -o`;
}

/** Ends with a code of its own where anything of the data is kept aside: what lies beside it is half restored. */
export function demandNoAside(places: DataPlaces, code: number): string {
  const said =
    'holds what was there before a restore that has not ended, so that the data is half restored: restore it again, or, ' +
    'if you know the data to be good as it is, remove that folder';
  const patterns = places.paths.flatMap((path) => [
    ...places.mounts
      .filter((mount) => isWithin(mount, path))
      .map((mount) => `${inMount(mount, PREFIX)}*`),
    // one mount may hold others' data, too
    ...places.mounts
      .filter((mount) => mount !== path && isWithin(path, mount))
      .map((mount) => `${inMount(mount, PREFIX)}*/data/${quote(posix.relative(mount, path))}`),
  ]);
  return patterns
    .map(
      (pattern) =>
        `for one in ${pattern}; do if [ -e "$one" ] || [ -L "$one" ]; then printf '%s ${said}\\n' "$one" >&2; exit ${code}; fi; done`,
    )
    .join('\n');
}

/** Each name under which all of what was there is kept aside, ended by a zero byte. */
export function keptAsideScript(places: DataPlaces): string {
  return places.mounts
    .map((mount) => {
      const prefix = inMount(mount, PREFIX);
      return [
        `for one in ${prefix}*/${COMPLETE}; do if [ -e "$one" ]; then`,
        `one=\${one#${prefix}}; printf '%s\\0' "\${one%/${COMPLETE}}"; fi; done`,
      ].join('\n');
    })
    .join('\n');
}

/**
 * Moves all of the data aside, and says so when it is complete; where an earlier attempt did, nothing is moved. What cannot be moved stays: mount
 * points, folders that lead to them, and a file that is a mount of its own.
 * @param fail what a shell does when it cannot be done
 */
export function keepAsideScript(
  tools: DataTools,
  places: DataPlaces,
  name: string,
  fail: string,
): string {
  const mkdir = `${call(tools, 'mkdir')} -p -m 700 --`;
  return places.mounts
    .map((mount) => {
      const aside = inMount(mount, PREFIX + name);
      const moves = places.paths.flatMap((path) => movesOf(places, path, mount));
      if (moves.length === 0) return '';
      return [
        // a file that is a mount of its own has no room beside it
        `if [ -d ${quote(mount)} ] && [ ! -e ${aside}/${COMPLETE} ]; then`,
        `${mkdir} ${aside} || ${fail}`,
        ...moves.map(({ from, isFixed, relative }) => {
          const into = inMount(mount, `${PREFIX}${name}/data/${relative}`);
          const find = `${call(tools, 'find')} ${quote(from)} ${isFixed ? '-mindepth 1 -maxdepth 1' : '-maxdepth 0'}`;
          const spared = isFixed
            ? [...fixedWithin(places, from).map(asPattern), ...asidePatterns(places, from)]
            : [];
          const not = spared.map((pattern) => `! -path ${quote(pattern)}`).join(' ');
          const move = `${call(tools, 'mv')} -t ${into} -- {} +`;
          return `if [ -e ${quote(from)} ] || [ -L ${quote(from)} ]; then ${mkdir} ${into} && ${find} ${not} -exec ${move} || ${fail}; fi`;
        }),
        `${call(tools, 'sync')} -f ${quote(mount)} && : >${aside}/${COMPLETE} && ${call(tools, 'sync')} -f ${quote(mount)} || ${fail}`,
        'fi',
      ].join('\n');
    })
    .join('\n');
}

/** Removes what is kept aside under these names; the folder that it lay in is as it was. */
export function settleScript(
  tools: DataTools,
  places: DataPlaces,
  names: readonly string[],
  code: number,
): string {
  const fail = `{ exit ${code}; }`;
  const remove = `${call(tools, 'rm')} -rf --`;
  const setTime = (mount: string): string =>
    `${call(tools, 'touch')} -m -d "$time" -- ${quote(mount)}`;
  const time = (mount: string): string => `$(${call(tools, 'stat')} -c %y -- ${quote(mount)})`;
  return places.mounts
    .flatMap((mount) =>
      names.map((name) => {
        const aside = inMount(mount, PREFIX + name);
        const gone = `${aside}.gone`;
        return [
          `if [ -e ${aside} ] || [ -e ${gone} ]; then`,
          `time="${time(mount)}"`,
          // at once: half of it must never pass for all of it
          `if [ -e ${aside} ]; then ${remove} ${gone} && ${call(tools, 'mv')} -T -- ${aside} ${gone} || ${fail}; fi`,
          // to remove it may take long: whoever is cut off meanwhile leaves the time as it was
          `${setTime(mount)} && ${remove} ${gone} && ${setTime(mount)} || ${fail}`,
          // what lies beside the data on a share is others', who may change it at the same time
          ...(places.paths.some((path) => isWithin(mount, path))
            ? [`[ "${time(mount)}" = "$time" ] || ${fail}`]
            : []),
          `${call(tools, 'sync')} -f ${quote(mount)} || ${fail}`,
          'fi',
        ].join('\n');
      }),
    )
    .join('\n');
}

interface Move {
  readonly from: string;
  /** Then it is its content that is moved. */
  readonly isFixed: boolean;
  /** Where it goes, below the mount point. */
  readonly relative: string;
}

/** What of a path is moved aside on this mount. */
function movesOf(places: DataPlaces, path: string, mount: string): Move[] {
  const holds = (one: string): boolean =>
    isWithin(one, mount) &&
    !places.mounts.some(
      (other) => other !== mount && isWithin(other, mount) && isWithin(one, other),
    );
  const fixed = fixedWithin(places, path);
  if (fixed.length === 0) {
    return holds(path)
      ? [{ from: path, isFixed: false, relative: posix.relative(mount, posix.dirname(path)) }]
      : [];
  }
  return fixed
    .filter(holds)
    .map((from) => ({ from, isFixed: true, relative: posix.relative(mount, from) }));
}

function inMount(mount: string, name: string): string {
  return quote(posix.join(mount, name));
}
