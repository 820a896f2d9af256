import { posix } from 'node:path';
import { call, quote } from '#drivers/data';
import { fileKey } from './file-marks.js';
import type { HelperTools } from './helper-tools.js';

/** Exit codes of the scripts. */
export const FILE_EXIT = {
  ...{ taken: 50, stays: 51, unpacking: 52 },
  ...{ changed: 53, linked: 54, cut: 55, failed: 56 },
} as const;

/** Where a file is written before it is renamed: in the same folder, so that the rename is one, under a name that is found again. */
export function temporaryPath(path: string): string {
  return posix.join(posix.dirname(path), `.liftlock-${fileKey(path)}`);
}

/**
 * Standard input is a tar of the files at their temporary paths, with modes and owners: tar gives them to a file that nobody else can
 * read yet. A file that was not ours before takes no other's place (`mv -n` is a rename that does not replace; it ends well all the same).
 */
export function writeFilesScript(
  tools: HelperTools,
  files: ReadonlyArray<{ readonly path: string; readonly isOurs: boolean }>,
): string {
  const rm = call(tools, 'rm');
  const temporary = files.map(({ path }) => quote(temporaryPath(path))).join(' ');
  const clear = `${rm} -f -- ${temporary}`;
  // what is left of the input is taken in before the end: the sender must see an exit code, not a broken pipe
  const fail = (code: number | string): string =>
    `{ ${call(tools, 'cat')} >/dev/null; ${clear}; exit ${code}; }`;
  // that it was ended says nothing of what it was to do
  const unlessKilled = `case "$code" in 137 | 143) ;; *) code=${FILE_EXIT.unpacking} ;; esac;`;
  return [
    'umask 077',
    clear,
    `${call(tools, 'tar')} --extract --file=- --preserve-permissions --same-owner --numeric-owner ` +
      `--no-overwrite-dir --directory=/ || { code=$?; ${unlessKilled} ${fail('"$code"')}; }`,
    ...files.flatMap(({ path, isOurs }) => {
      const from = quote(temporaryPath(path));
      const move = `${call(tools, 'mv')} ${isOurs ? '-f' : '-n'} -T -- ${from} ${quote(path)}`;
      const refuse = `{ printf '%s\\n' ${quote(path)} >&2; ${clear}; exit ${FILE_EXIT.taken}; }`;
      return [`${move} || ${refuse}`, `if [ -e ${from} ]; then ${refuse}; fi`];
    }),
    syncFolders(
      tools,
      files.map(({ path }) => path),
    ),
  ].join('\n');
}

/**
 * Removes files, finished or not, and looks that they are gone.
 * @param folderTimes folders that get back the time of their last change
 */
export function removeFilesScript(
  tools: HelperTools,
  paths: readonly string[],
  folderTimes: ReadonlyMap<string, string>,
): string {
  const all = paths.flatMap((path) => [path, temporaryPath(path)]).map(quote);
  return [
    `${call(tools, 'rm')} -f -- ${all.join(' ')}`,
    `for f in ${all.join(' ')}; do if [ -e "$f" ] || [ -L "$f" ]; then printf '%s\\n' "$f" >&2; exit ${FILE_EXIT.stays}; fi; done`,
    ...[...folderTimes].map(
      ([folder, time]) => `${call(tools, 'touch')} -m -c -d ${quote(time)} -- ${quote(folder)}`,
    ),
    syncFolders(tools, paths),
  ].join('\n');
}

/**
 * Standard input is what a file is to hold instead. A copy, which has all that the file has besides its content, gets that content and takes
 * the file's place, but only if the file still is what was read.
 * @param before, after sha256 of the contents, in hex
 */
export function replaceFileScript(
  tools: HelperTools,
  path: string,
  before: string,
  after: string,
): string {
  const [file, copy] = [quote(path), quote(temporaryPath(path))];
  const clear = `${call(tools, 'rm')} -f -- ${copy}`;
  const fail = (code: number): string =>
    `{ ${call(tools, 'cat')} >/dev/null; ${clear}; exit ${code}; }`;
  const holds = (name: string, hash: string): string =>
    `[ "$(${call(tools, 'sha256sum')} < ${name})" = '${hash}  -' ]`;
  return [
    'umask 077',
    clear,
    // another name would go on with the old content
    `[ "$(${call(tools, 'stat')} -c %h -- ${file})" = 1 ] || ${fail(FILE_EXIT.linked)}`,
    `${call(tools, 'cp')} --preserve=all --preserve=xattr --no-dereference -T -- ${file} ${copy} || ${fail(FILE_EXIT.failed)}`,
    `${call(tools, 'cat')} > ${copy} || ${fail(FILE_EXIT.failed)}`,
    `${holds(copy, after)} || ${fail(FILE_EXIT.cut)}`,
    `${call(tools, 'sync')} ${copy} || ${fail(FILE_EXIT.failed)}`,
    `${holds(file, before)} || ${fail(FILE_EXIT.changed)}`,
    `${call(tools, 'mv')} -f -T -- ${copy} ${file} || ${fail(FILE_EXIT.failed)}`,
    syncFolders(tools, [path]),
  ].join('\n');
}

/** What a killed `replaceFileScript` left. */
export function clearCopyScript(tools: HelperTools, path: string): string {
  return `${call(tools, 'rm')} -f -- ${quote(temporaryPath(path))}`;
}

function syncFolders(tools: HelperTools, paths: readonly string[]): string {
  const folders = [...new Set(paths.map((path) => posix.dirname(path)))].map(quote).join(' ');
  return `for d in ${folders}; do if [ -d "$d" ]; then ${call(tools, 'sync')} -f "$d"; fi; done`;
}
