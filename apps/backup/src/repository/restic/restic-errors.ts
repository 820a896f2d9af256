import { LiftlockError, type ErrorCode } from '#kernel';

/** What restic and Go say on standard error (version 0.14), with the way out; the first that fits. */
const KNOWN: ReadonlyArray<readonly [RegExp, ErrorCode, string]> = [
  [
    /no space left on device|disk quota exceeded/i,
    'disk_full',
    'no space is left there; make room',
  ],
  [
    /already locked/,
    'unavailable',
    'another process holds it; it is tried again (a lock that a dead machine left counts for half an hour)',
  ],
  [
    /Access Denied|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|permission denied/i,
    'misconfigured',
    'the store does not let restic in: look at the rights of its user, or of the keys to the bucket',
  ],
  [/x509: /, 'target_untrusted', 'the certificate of the store is not trusted here'],
  [
    /dial tcp|connection refused|connection reset|no such host|i\/o timeout|SlowDown|ServiceUnavailable|bad gateway/i,
    'unavailable',
    'the store does not answer; it is tried again',
  ],
  [
    /ciphertext verification failed|hash mismatch|invalid data returned|does not match id|not found in (the )?(index|repository)|unexpected EOF|no matching ID|unable to open config|key does not exist|no such file|invalid character|unexpected end of JSON|Unmarshal|decompressing blob|magic number/,
    'data_corrupt',
    'something of it is not as it was written, or gone; restic check --read-data says what',
  ],
];

const WRONG_PASSWORD = /wrong password or no key found/;

/**
 * What restic said, in our words.
 * @param what it was at, naming its repository
 */
export function resticError(what: string, code: number | undefined, said: string): LiftlockError {
  const how = `restic ended with ${code ?? 'a signal'}: ${said || 'it said nothing'}`;
  const [, ours, wayOut] = KNOWN.find(([words]) => words.test(said)) ?? [];
  if (ours === undefined) return new LiftlockError('internal', `${what}: ${how}`);
  return new LiftlockError(ours, `${what}: ${wayOut}; ${how}`);
}

/** Or its key is damaged: restic does not tell. */
export function isWrongPassword(error: unknown): boolean {
  return error instanceof LiftlockError && WRONG_PASSWORD.test(error.message);
}

/** Nothing was done: it may be tried again as it was. */
export function isLocked(error: unknown): boolean {
  return error instanceof LiftlockError && /already locked/.test(error.message);
}
