import type { DataTools } from './data-tools.js';
import {
  asidePatterns,
  demandNoAside,
  keepAsideScript,
  keptAsideScript,
  spareAside,
} from './data-aside.js';
import { demandNoHostMounts } from './host-mounts.js';
import { fixedWithin, memberOf, type DataPlaces } from './data-places.js';
import { asPattern, call, quote } from './shell-words.js';

/** Exit codes of the scripts, besides tar's own 1 and 2. */
export const EXIT = {
  missing: 44,
  compressor: 45,
  clearing: 46,
  listing: 48,
  halfRestored: 49,
  keeping: 50,
  unwanted: 51,
  hostMount: 52,
} as const;

/** GNU tar: everything that a file system knows of a file, owners by number. */
const KEEP_ALL =
  "--xattrs --xattrs-include='*' --acls --numeric-owner " +
  // nothing is lost by these, and many of them would hide what matters
  '--warning=no-timestamp --warning=no-file-ignored';

/** What reading itself changes, and in which order a file system tells names, is nothing of the data: all but headers of files with holes, which name tar's process, is the same for the same data. */
const NEARLY_THE_SAME = '--sort=name --pax-option=delete=atime';

/**
 * Blocks of 512 bytes that tar reads and writes at a time: as much as a pipe holds. By its own 20 it calls the kernel six times as often, which
 * is a fifth of the time of an extraction.
 */
const BLOCKING = '--blocking-factor=128';

function keepAll({ root = '/' }: DataPlaces): string {
  return `${KEEP_ALL} --directory=${quote(root)}`;
}

/** The archive of all paths on standard output. @param plain it is not compressed */
export function readScript(tools: DataTools, places: DataPlaces, plain = false): string {
  return reading(tools, places, plain, []);
}

/** As `readScript`; that files change or go while they are read (tar's code 1) is no error. */
export function readChangingScript(tools: DataTools, places: DataPlaces, plain = false): string {
  return reading(tools, places, plain, ['if [ "$first" = 1 ]; then first=0; fi']);
}

function reading(
  tools: DataTools,
  places: DataPlaces,
  plain: boolean,
  judging: readonly string[],
): string {
  return [
    demandPaths(tools, places),
    demandNoAside(places, EXIT.halfRestored),
    archiving(tools, places, plain),
    ...judging,
    verdict('$first', '$second'),
  ].join('\n');
}

function archiving(tools: DataTools, places: DataPlaces, plain: boolean): string {
  const members = places.paths.map((path) => quote(memberOf(places, path))).join(' ');
  const same = plain ? `${NEARLY_THE_SAME} ` : '';
  const tar = `${call(tools, 'tar')} --create --file=- ${BLOCKING} --format=posix --sparse ${same}${keepAll(places)} -- ${members}`;
  const zstd = plain ? call(tools, 'cat') : `${call(tools, 'zstd')} -q -3 -T0 -c`;
  return pipe(tar, zstd);
}

/**
 * On standard error what `spaceScript` says and two empty fields; then, when it was told to by a line, at once the archive on standard
 * output, and on standard error what `listScript` says, a zero byte, and what went wrong, in words that hold no zero byte.
 */
export function readMeasuredScript(tools: DataTools, places: DataPlaces, plain = false): string {
  return [
    'exec 5>&1 6>&2',
    'said=$(',
    'exec 2>&1 1>&5',
    demandPaths(tools, places),
    demandNoAside(places, EXIT.halfRestored),
    '{',
    ...measuring(tools, places),
    `printf '\\0\\0'`,
    '} >&6',
    `read -r begin || exit ${EXIT.unwanted}`,
    '(',
    ...listing(tools, places),
    ') 1>&6 &',
    'listing=$!',
    archiving(tools, places, plain),
    'wait "$listing"; listed=$?',
    verdict('$first', '$second'),
    'exit "$listed"',
    ')',
    'code=$?',
    `printf '\\0%s' "$said" >&6`,
    'exit "$code"',
  ].join('\n');
}

/**
 * The paths become what the archive on standard input holds.
 * @param keepAside name under which what is there is kept
 * @param plain it is not compressed
 */
export function writeScript(
  tools: DataTools,
  places: DataPlaces,
  keepAside?: string,
  plain = false,
): string {
  return [...writing(tools, places, keepAside, plain), syncing(tools, places)].join('\n');
}

/** As `writeScript`; then, while it is sent to the disk, what `listScript` says. */
export function writeAndListScript(
  tools: DataTools,
  places: DataPlaces,
  keepAside?: string,
  plain = false,
): string {
  return [
    ...writing(tools, places, keepAside, plain),
    `${syncing(tools, places)} &`,
    'syncing=$!',
    listScript(tools, places),
    'wait "$syncing"',
  ].join('\n');
}

function syncing(tools: DataTools, { mounts }: DataPlaces): string {
  return `${call(tools, 'sync')} -f ${mounts.map(quote).join(' ')}`;
}

function writing(
  tools: DataTools,
  places: DataPlaces,
  keepAside: string | undefined,
  plain: boolean,
): string[] {
  const mounts = places.mounts.map(quote).join(' ');
  const zstd = plain ? call(tools, 'cat') : `${call(tools, 'zstd')} -d -q -c`;
  const tar =
    `${call(tools, 'tar')} --extract --file=- ${BLOCKING} --preserve-permissions --same-owner ` +
    `--delay-directory-restore $in_place ${keepAll(places)}`;
  // what is left of the input is taken in before the end: the sender must see an exit code, not a broken pipe
  const fail = (code: number | string): string =>
    `{ ${call(tools, 'cat')} >/dev/null; exit ${code}; }`;
  return [
    demandNoHostMounts(places, fail(EXIT.hostMount)),
    ...(keepAside === undefined
      ? []
      : [keepAsideScript(tools, places, keepAside, fail(EXIT.keeping))]),
    ...places.paths.map(
      (path) =>
        `if [ -e ${quote(path)} ] || [ -L ${quote(path)} ]; then ${clear(tools, places, path)} || ${fail(EXIT.clearing)}; fi`,
    ),
    'in_place=',
    // a file that is a mount point cannot be removed and made again
    `for m in ${mounts}; do if [ -f "$m" ]; then in_place=--overwrite; fi; done`,
    pipe(zstd, tar),
    `if [ "$first" != 0 ] || [ "$second" != 0 ]; then ${call(tools, 'cat')} >/dev/null; fi`,
    verdict('$second', '$first'),
  ];
}

/**
 * For each entry 12 fields, each ended by a zero byte; then, each part begun by an empty field: for each file `<sha256>  <path>` and a zero
 * byte, or, of all that openssl hashes, a newline, for each a line `<sha256> *<path>`, and a zero byte; for each device
 * `<major>:<minor>  <path>` in hex and a zero byte; what getfattr dumps, where there is one, and after it another field where it failed. (`%y` type, `%m` mode, `%b` blocks of 512 bytes, `%T@`, `%C@` times with 10 decimals, `%n` names of the file, `%D:%i` its
 * identity, `%l` target of a link: find(1).)
 */
export function listScript(tools: DataTools, places: DataPlaces): string {
  return [demandPaths(tools, places), ...listing(tools, places)].join('\n');
}

/** As `listScript`, without hashes, and without minding what goes while it is listed: attributes are then told for none. */
export function listChangingScript(tools: DataTools, places: DataPlaces): string {
  return [demandPaths(tools, places), ...listing(tools, places, 'changing')].join('\n');
}

function listing(tools: DataTools, places: DataPlaces, changing?: 'changing'): string[] {
  const paths = places.paths.map(quote).join(' ');
  const race = changing === undefined ? '' : '-ignore_readdir_race ';
  const find = `${call(tools, 'find')} ${paths} ${race}${spareAside(places)}`;
  const each = `${call(tools, 'xargs')} -0 -r`;
  return [
    `${find} -printf '%y\\0%m\\0%U\\0%G\\0%s\\0%b\\0%T@\\0%C@\\0%n\\0%D:%i\\0%p\\0%l\\0' || exit ${EXIT.listing}`,
    `printf '\\0'`,
    ...(changing === undefined ? hashing(tools, find, each) : []),
    `printf '\\0'`,
    `${find} '(' -type b -o -type c ')' -print0 | ${each} ${call(tools, 'stat')} --printf='%t:%T  %n\\0' -- || exit ${EXIT.listing}`,
    ...attributeList(tools, `${find} ! -type s -print0 | ${each}`),
  ];
}

/** Half of all names, most of the time. */
const HALF = "-name '*[02468bdfhjlnprtvxzBDFHJLNPRTVXZ]'";

/**
 * openssl uses the processor's own instructions for it, which coreutils of Debian do not; but its lines have no zero byte, so that names with
 * a newline are none of its business. Two at a time: lines of the second are held back until the first one has said all of its own, or they
 * would be mixed.
 */
function hashing(tools: DataTools, find: string, each: string): string[] {
  const hash = (which: string, how: string): string =>
    `${find} -type f ${which} -print0 | ${each} ${how}`;
  const sum = `${call(tools, 'sha256sum')} -z --`;
  const fail = `exit ${EXIT.listing}`;
  const { openssl } = tools.start;
  if (openssl === undefined) return [`${hash('', sum)} || ${fail}`];
  const hasNewline = `-path '*\n*'`;
  const dgst = `${openssl.map(quote).join(' ')} dgst -sha256 -r`;
  return [
    `${hash(hasNewline, sum)} || ${fail}`,
    `printf '\\n'`,
    // whatever it is configured to be
    'OPENSSL_CONF=/dev/null; export OPENSSL_CONF',
    'exec 7>&1',
    `{ ${hash(`! ${hasNewline} ${HALF}`, dgst)} >&7 7>&-; echo "$?"; } | {`,
    `held=$(exec 7>&-; ${hash(`! ${hasNewline} ! ${HALF}`, dgst)}) || ${fail}`,
    `read -r first && [ "$first" = 0 ] || ${fail}`,
    `[ -z "$held" ] || printf '%s\\n' "$held"`,
    `} || ${fail}`,
    'exec 7>&-',
    `printf '\\0'`,
  ];
}

/** A file system need not have attributes: that they cannot be told is said, and fails nothing. */
function attributeList(tools: DataTools, forEach: string): string[] {
  const { getfattr } = tools.start;
  if (getfattr === undefined) return [];
  const dump = `${getfattr.map(quote).join(' ')} -h -d -m - -e hex --absolute-names --`;
  return [`printf '\\0'`, `${forEach} ${dump} 2>/dev/null || printf '\\0failed\\0'`];
}

/**
 * For each place that is there 4 fields, each ended by a zero byte: number of the device, free blocks, their size, and its path; then an
 * empty field; then for each entry of the data 4 fields: number of the device, blocks of 512 bytes, names of the file, its inode; then an
 * empty field and the names under which all of what was there is kept aside. (stat(1): `%d`; with `-f` `%f`, `%S`. What is reserved for
 * root counts as free: it is root who writes.)
 */
export function spaceScript(tools: DataTools, places: DataPlaces): string {
  return measuring(tools, places).join('\n');
}

function measuring(tools: DataTools, places: DataPlaces): string[] {
  const stat = call(tools, 'stat');
  const all = [...new Set([...places.mounts, ...places.paths])];
  const there = (path: string, run: string): string =>
    `if [ -e ${quote(path)} ]; then ${run} || exit ${EXIT.listing}; fi`;
  return [
    ...all.map((path) =>
      there(
        path,
        `${stat} --printf='%d\\0' -- ${quote(path)} && ${stat} -f --printf='%f\\0%S\\0%n\\0' -- ${quote(path)}`,
      ),
    ),
    `printf '\\0'`,
    ...places.paths.map((path) =>
      there(
        path,
        `${call(tools, 'find')} ${quote(path)} ${spareAside(places)} -printf '%D\\0%b\\0%n\\0%i\\0'`,
      ),
    ),
    `printf '\\0'`,
    keptAsideScript(places),
  ];
}

function demandPaths(tools: DataTools, places: DataPlaces): string {
  const refuse = (path: string, why: string): string =>
    `{ printf '%s ${why}: is the data elsewhere, or not mounted?\\n' ${quote(path)} >&2; exit ${EXIT.missing}; }`;
  return [
    demandNoHostMounts(places, `exit ${EXIT.hostMount}`),
    ...places.paths.flatMap((path) => [
      `if [ ! -e ${quote(path)} ] && [ ! -L ${quote(path)} ]; then ${refuse(path, 'is not there')}; fi`,
      // what was never mounted looks so, and a backup of nothing is none
      `if [ -n "$(${call(tools, 'find')} ${quote(path)} -maxdepth 0 -type d -empty)" ]; then ${refuse(path, 'is an empty folder')}; fi`,
    ]),
  ].join('\n');
}

/** Removes a path with all below it, but for mount points and the folders that lead to them. */
function clear(tools: DataTools, places: DataPlaces, path: string): string {
  const fixed = fixedWithin(places, path);
  const spared = [
    ...fixed.map((one) => asPattern(one)),
    // what is kept aside lies right below a mount point, and is below this path only where that is
    ...asidePatterns(places, path),
  ].map((pattern) => `! -path ${quote(pattern)}`);
  return `${call(tools, 'find')} ${quote(path)} -depth ${spared.join(' ')} -delete`;
}

/** Runs `one | other`, and sets `first` and `second` to their exit codes: a POSIX shell tells the last one's only. */
function pipe(one: string, other: string): string {
  return [
    'exec 4>&1',
    `codes=$( { { ${one} 3>&- 4>&-; echo "first=$?" >&3; } | { ${other} >&4 3>&- 4>&-; echo "second=$?" >&3; }; } 3>&1 )`,
    'first=2; second=2',
    'eval "$codes"',
  ].join('\n');
}

/** tar's code wherever it says why; when only the compressor failed, a code of its own; 137 or 143 when either was killed, which says nothing of the data. */
function verdict(tar: string, zstd: string): string {
  return `for killed in 137 143; do if [ "${tar}" = "$killed" ] || [ "${zstd}" = "$killed" ]; then exit "$killed"; fi; done\nif [ "${zstd}" != 0 ] && [ "${zstd}" != 141 ]; then exit ${EXIT.compressor}; fi\nif [ "${tar}" != 0 ]; then exit "${tar}"; fi`;
}
