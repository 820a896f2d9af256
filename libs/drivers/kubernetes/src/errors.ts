import { LiftlockError, type ErrorCode } from '#kernel';
import type { ClusterName } from './cluster-name.js';

/** An API server's answer that is not one of success. */
export class ApiAnswer extends Error {
  constructor(
    readonly status: number,
    /** The API's own word for it: `AlreadyExists`, `Conflict` … */
    readonly reason: string,
    message: string,
    /** Milliseconds that it asks to wait for. */
    readonly retryAfterMs?: number,
    readonly details?: unknown,
  ) {
    super(message);
  }
}

/** The HTTP status that the API server answered with, where it did. */
export function statusOf(error: unknown): number | undefined {
  const from = error instanceof LiftlockError ? error.cause : error;
  return from instanceof ApiAnswer ? from.status : undefined;
}

/** The API server's own word for what was wrong. */
export function reasonOf(error: unknown): string | undefined {
  const from = error instanceof LiftlockError ? error.cause : error;
  return from instanceof ApiAnswer ? from.reason : undefined;
}

/** Somebody else changed the object after it was read. */
export function isConflict(error: unknown): boolean {
  return statusOf(error) === 409 && reasonOf(error) === 'Conflict';
}

export function isThereAlready(error: unknown): boolean {
  return statusOf(error) === 409 && reasonOf(error) === 'AlreadyExists';
}

/** What an API server answers while it starts, ends, or has lost its etcd: nothing was done, or what was done is found again. */
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

export function isPassing(error: unknown): boolean {
  if (error instanceof ApiAnswer) return isPassingAnswer(error);
  return isConnectionError(error);
}

/** What stands before the server, and refuses by failing, does so the next time, too. */
function isPassingAnswer({ status, message }: ApiAnswer): boolean {
  return PASSING_STATUS.has(status) && !/failed calling webhook|admission/i.test(message);
}

/** Whatever a request threw, as one of our errors. `what` reads on: "<what> failed: …". */
export function clusterError(
  cluster: ClusterName,
  what: string,
  thrown: unknown,
  signal?: AbortSignal,
): LiftlockError {
  if (thrown instanceof LiftlockError) return thrown;
  if (signal?.aborted === true) return abortedBy(signal, what);
  if (thrown instanceof ApiAnswer) return answered(cluster, what, thrown);
  return unreachable(cluster, what, thrown as NodeJS.ErrnoException);
}

/** What an aborted attempt ends with: the reason of whoever aborted it. */
export function abortedBy(signal: AbortSignal, what: string): LiftlockError {
  return signal.reason instanceof LiftlockError
    ? signal.reason
    : new LiftlockError('timeout', `${what} was broken off`, { cause: signal.reason });
}

function answered(cluster: ClusterName, what: string, answer: ApiAnswer): LiftlockError {
  const { status, reason, message, retryAfterMs } = answer;
  const [code, wayOut] = kindOf(answer);
  return new LiftlockError(code, `${what} on ${cluster.name} failed: ${message}${wayOut}`, {
    cause: answer,
    details: { target: cluster.name, status, reason },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(status === 409 ? { retryable: true } : {}),
  });
}

function kindOf(answer: ApiAnswer): readonly [ErrorCode, string] {
  const { status, message } = answer;
  if (status === 401)
    return [
      'target_refused',
      '; the token or certificate that it is reached with is not taken (any more): replace the secret that the target’s credentials name, and try again',
    ];
  // a webhook that a person has to satisfy, with words of its own
  if (/admission webhook .* denied the request/.test(message)) return ['target_refused', ''];
  if (status === 403)
    return /exceeded quota/.test(message)
      ? ['target_refused', '; raise the quota of the namespace, or free some of it']
      : [
          'target_refused',
          '; bind the role of deploy/kubernetes/role.yaml to the account that it is reached with',
        ];
  if (isPassingAnswer(answer)) return ['target_unreachable', ''];
  return ['target_refused', ''];
}

const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

function isConnectionError(thrown: unknown): boolean {
  const { name = '' } = (thrown ?? {}) as Partial<Error>;
  const code = thrown instanceof Error ? codeOf(thrown) : '';
  return CONNECTION_CODES.has(code) || code.startsWith('UND_ERR_') || name === 'TimeoutError';
}

/** OpenSSL's and Node's names for a certificate that proves nothing. */
const UNTRUSTED =
  /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME)/;

function unreachable(
  cluster: ClusterName,
  what: string,
  error: NodeJS.ErrnoException,
): LiftlockError {
  const code = codeOf(error);
  const at = `the API server of ${cluster.name} (${cluster.endpoint})`;
  const options = {
    cause: error,
    details: { target: cluster.name, endpoint: cluster.endpoint },
  };
  if (UNTRUSTED.test(code))
    return new LiftlockError(
      'target_untrusted',
      `${at} shows a certificate that does not prove who it is: ${error.message}; it must be valid, name the host of the endpoint, and be ` +
        'signed by credentials.ca. Nothing was sent to it',
      options,
    );
  if (/^ERR_(?:SSL|TLS)_|^ERR_OSSL_/.test(code))
    return new LiftlockError(
      'target_refused',
      `${at} and we cannot agree on TLS: ${error.message}; see its credentials, and that the endpoint is the API server’s`,
      options,
    );
  if (!isConnectionError(error) && code === '')
    return new LiftlockError('internal', `${what} on ${cluster.name} failed: ${error.message}`, {
      cause: error,
    });
  return new LiftlockError(
    'target_unreachable',
    `${at} does not answer: ${error.message === '' ? code : error.message}; is it running there, and may this machine reach it?`,
    options,
  );
}

/** Some of the client's errors have the reason within; those of the Web have numbers. */
function codeOf(error: Error): string {
  const { cause, code } = error as Error & { readonly code?: unknown };
  if (typeof code === 'string') return code;
  return cause instanceof Error ? codeOf(cause) : '';
}
