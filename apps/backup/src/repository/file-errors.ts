import { LiftlockError, type ErrorCode } from '#kernel';

/** What the operating system says (errno(3)), with the way out. */
const KNOWN: Readonly<Record<string, readonly [ErrorCode, (what: string) => string]>> = {
  ENOSPC: ['disk_full', (what) => `no space is left for ${what}; make room`],
  EDQUOT: ['disk_full', (what) => `no space is left for ${what}; make room`],
  EROFS: ['misconfigured', (what) => `${what} is on a file system that is mounted read-only`],
  EACCES: ['misconfigured', (what) => `the backup service's user may not use ${what}`],
  EPERM: ['misconfigured', (what) => `the backup service's user may not use ${what}`],
  EIO: ['data_corrupt', (what) => `the disk below ${what} fails (EIO)`],
  // a share whose server is away
  ESTALE: ['unavailable', (what) => `the store of ${what} does not answer (ESTALE)`],
  ENOTCONN: ['unavailable', (what) => `the store of ${what} does not answer (ENOTCONN)`],
  EHOSTDOWN: ['unavailable', (what) => `the store of ${what} does not answer (EHOSTDOWN)`],
};

/** How programs say so (strerror(3)). */
const WORDS: ReadonlyArray<readonly [string, string]> = [
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['Read-only file system', 'EROFS'],
  ['Permission denied', 'EACCES'],
  ['Operation not permitted', 'EPERM'],
  ['Input/output error', 'EIO'],
  ['Stale file handle', 'ESTALE'],
  ['Transport endpoint is not connected', 'ENOTCONN'],
  ['Host is down', 'EHOSTDOWN'],
];
/** What an archive passes last before its file, which it has as its standard output; what it reads from is a pipe. */
const LAST = /^(?:\S*\/)?(?:zstd|cat): .*: ([^:]+)$/;

/** What the operating system says of the repository, in our words. */
export function fileError(thrown: unknown, what: string): LiftlockError {
  if (thrown instanceof LiftlockError) return thrown;
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const known = Object.hasOwn(KNOWN, code) ? KNOWN[code] : undefined;
  if (known === undefined) return LiftlockError.from(thrown);
  const [ours, message] = known;
  return new LiftlockError(ours, message(what), { cause: thrown });
}

/** As `fileError`; also of what a script says of the file that it writes to by itself. */
export function asFileError(thrown: unknown, what: string): LiftlockError {
  if (!(thrown instanceof LiftlockError) || !Array.isArray(thrown.details?.['stderr']))
    return fileError(thrown, what);
  const said = thrown.details['stderr'].map((line) => LAST.exec(String(line).trim())?.[1]);
  const [, code] = WORDS.find(([words]) => said.includes(words)) ?? [];
  if (code === undefined) return thrown;
  return fileError(Object.assign(new Error(thrown.message, { cause: thrown }), { code }), what);
}
