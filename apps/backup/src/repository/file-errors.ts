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

/** What the operating system says of the repository, in our words. */
export function fileError(thrown: unknown, what: string): LiftlockError {
  if (thrown instanceof LiftlockError) return thrown;
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const known = Object.hasOwn(KNOWN, code) ? KNOWN[code] : undefined;
  if (known === undefined) return LiftlockError.from(thrown);
  const [ours, message] = known;
  return new LiftlockError(ours, message(what), { cause: thrown });
}
