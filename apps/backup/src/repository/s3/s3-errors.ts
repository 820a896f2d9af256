import { LiftlockError, type ErrorCode } from '#kernel';
import type { S3Options } from './s3-options.js';

type Told = (options: S3Options) => string;

const REFUSED: Told = ({ bucket, credentials }) =>
  `the store refuses the backup service: look at the keys that ${credentials} stands for, and at their rights on the bucket ${bucket} ` +
  '(s3:ListBucket, s3:ListBucketMultipartUploads, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload)';
const KEYS: Told = ({ credentials }) =>
  `the store does not accept the keys that ${credentials} stands for: is it \`<access key id>:<secret access key>\` of this store?`;
const REGION: Told = ({ region, bucket }) =>
  `the bucket ${bucket} is not in the region ${region}: set LIFTLOCK_BACKUP_S3_REGION`;
const FULL: Told = () => 'no space is left there; make room (liftlock backups prune)';
const AWAY: Told = ({ endpoint, region }) =>
  `the store at ${endpoint ?? `Amazon's ${region}`} does not answer as it should; it is tried again`;
const UNTRUSTED: Told = ({ endpoint }) =>
  `the certificate of ${endpoint ?? 'the store'} is not trusted: name its authority by NODE_EXTRA_CA_CERTS`;

/** By the name of the error: of the API's reference, of what others say instead, and of Node.js. */
const KNOWN: Readonly<Record<string, readonly [ErrorCode, Told]>> = {
  NoSuchBucket: [
    'misconfigured',
    ({ bucket }) =>
      `there is no bucket ${bucket}: make it, or set LIFTLOCK_BACKUP_STORE to one that is there`,
  ],
  AccessDenied: ['misconfigured', REFUSED],
  AllAccessDisabled: ['misconfigured', REFUSED],
  InvalidAccessKeyId: ['misconfigured', KEYS],
  SignatureDoesNotMatch: ['misconfigured', KEYS],
  InvalidToken: ['misconfigured', KEYS],
  ExpiredToken: ['misconfigured', KEYS],
  PermanentRedirect: ['misconfigured', REGION],
  AuthorizationHeaderMalformed: ['misconfigured', REGION],
  IllegalLocationConstraintException: ['misconfigured', REGION],
  RequestTimeTooSkewed: [
    'misconfigured',
    () => "the clock of the backup service's machine differs from the store's: set it",
  ],
  EntityTooLarge: [
    'misconfigured',
    () => 'a part is larger than the store takes: set LIFTLOCK_BACKUP_S3_PART_MIB to less',
  ],
  QuotaExceeded: ['disk_full', FULL],
  XMinioStorageFull: ['disk_full', FULL],
  InsufficientStorage: ['disk_full', FULL],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['target_untrusted', UNTRUSTED],
  SELF_SIGNED_CERT_IN_CHAIN: ['target_untrusted', UNTRUSTED],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['target_untrusted', UNTRUSTED],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['target_untrusted', UNTRUSTED],
  CERT_HAS_EXPIRED: ['target_untrusted', UNTRUSTED],
  ERR_TLS_CERT_ALTNAME_INVALID: ['target_untrusted', UNTRUSTED],
};

/** By its status, where its name says nothing. */
const BY_STATUS: Readonly<Record<number, readonly [ErrorCode, Told]>> = {
  301: ['misconfigured', REGION],
  401: ['misconfigured', KEYS],
  403: ['misconfigured', REFUSED],
  507: ['disk_full', FULL],
};

/** What an S3-compatible store or the way to it says, in our words. @param what the object, or what was asked of the bucket */
export function s3Error(thrown: unknown, what: string, options: S3Options): LiftlockError {
  if (thrown instanceof LiftlockError) return thrown;
  const names = [nameOf(thrown), codeOf(thrown)];
  const status = statusOf(thrown);
  const known =
    names
      .map((name) => (Object.hasOwn(KNOWN, name) ? KNOWN[name] : undefined))
      .find((one) => one !== undefined) ?? (status === undefined ? undefined : BY_STATUS[status]);
  // what is not the store's word is the way to it: both may be better in a moment
  const [code, told] = known ?? (['unavailable', AWAY] as const);
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  const which = [...new Set([...names, status === undefined ? '' : `HTTP ${status}`])]
    .filter((name) => name !== '' && name !== 'Error')
    .join(', ');
  return new LiftlockError(code, `${what}: ${told(options)} (${which}: ${said})`, {
    cause: thrown,
  });
}

export function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : '';
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
}

export function statusOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('$metadata' in thrown)) return undefined;
  const { httpStatusCode } = thrown.$metadata as { readonly httpStatusCode?: number };
  return httpStatusCode;
}

export function isNotThere(thrown: unknown): boolean {
  return nameOf(thrown) !== 'NoSuchBucket' && statusOf(thrown) === 404;
}
