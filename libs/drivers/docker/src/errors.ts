import { LiftlockError, type ErrorCode } from '#kernel';
import { isVersionRefusal } from './api-version.js';
import type { EngineName } from './engine-name.js';

const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOENT',
  'EACCES',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ERR_STREAM_PREMATURE_CLOSE',
  'UND_ERR_SOCKET',
]);

/** What the engine says in words only, since it answers 500 to most of it. */
const KNOWN_WORDS: ReadonlyArray<readonly [RegExp, ErrorCode]> = [
  [/no space left on device|disk quota exceeded/i, 'disk_full'],
  [/port is already allocated|address already in use/i, 'port_taken'],
  [/no such image/i, 'image_missing'],
  [/container name .* is already in use/i, 'not_empty'],
  [/context canceled|context deadline exceeded|daemon is shutting down/i, 'target_unreachable'],
  [/client version \S+ is too (?:new|old)/i, 'target_unreachable'],
];

/** What an engine, its shim or its runtime says of a container whose process has ended, which the engine does not know yet. */
const JUST_ENDED =
  /ttrpc: closed|transport is closing|shim disconnected|container not running|cannot update a stopped container|process already finished|no such process/i;

/** Answers (500) that are of a moment only: a container that is just ending, or what still holds a file system of one that has ended. */
const PASSING = new RegExp(
  `${JUST_ENDED.source}|device or resource busy|did not receive an exit event`,
  'i',
);

interface EngineAnswer {
  readonly statusCode?: number;
  readonly code?: string;
  readonly message: string;
  readonly json?: unknown;
}

/** The HTTP status that the engine answered with, where it did. */
export function statusOf(error: unknown): number | undefined {
  const from = error instanceof LiftlockError ? error.cause : error;
  return (from as EngineAnswer | undefined)?.statusCode;
}

/** Whatever a call to the engine threw, as one of our errors. `what` reads on: "<what> failed: …". */
export function engineError(
  engine: EngineName,
  what: string,
  thrown: unknown,
  signal?: AbortSignal,
): LiftlockError {
  if (thrown instanceof LiftlockError) return thrown;
  if (signal?.aborted === true) return abortedBy(signal, what);
  const answer = thrown as EngineAnswer;
  if (isConnectionError(answer)) return unreachable(engine, answer);
  const words = wordsOf(answer);
  const code = KNOWN_WORDS.find(([pattern]) => pattern.test(words))?.[1] ?? 'target_refused';
  const wayOut =
    code === 'disk_full'
      ? '; free space on that host (docker system df; docker image prune), and try again'
      : '';
  return new LiftlockError(code, `${what} on ${engine.name} failed: ${words}${wayOut}`, {
    cause: thrown,
    details: { target: engine.name, status: answer.statusCode },
    ...(isPassing(code, words) ? { retryable: true } : {}),
  });
}

/** A name may be held by what an attempt that has gone asked for, and the engine is just making: the next attempt finds it. */
function isPassing(code: ErrorCode, words: string): boolean {
  return code === 'not_empty' || (code === 'target_refused' && PASSING.test(words));
}

/** What an aborted attempt ends with: the reason of whoever aborted it. */
export function abortedBy(signal: AbortSignal, what: string): LiftlockError {
  return signal.reason instanceof LiftlockError
    ? signal.reason
    : new LiftlockError('timeout', `${what} was broken off`, { cause: signal.reason });
}

function isConnectionError(answer: EngineAnswer): boolean {
  if (answer.statusCode !== undefined) return false;
  if (/^ERR_SSL_|^ERR_TLS_/.test(answer.code ?? '')) return true;
  return CONNECTION_CODES.has(answer.code ?? '') || /socket hang up|aborted/.test(answer.message);
}

/** OpenSSL's and Node's names for a certificate of the engine that proves nothing. */
const UNTRUSTED =
  /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME)/;
/** What an engine says that wants another certificate of us. */
const UNWANTED =
  /ALERT_(?:CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|UNSUPPORTED_CERT|HANDSHAKE)|ALERT_NO_CERT/;

/** Why an engine cannot be reached: nobody answers, it is not the one that is meant, or it does not let us in. */
export function unreachable(
  engine: EngineName,
  error: { readonly message: string; readonly code?: string; readonly reason?: unknown },
  hint = 'is it running there?',
): LiftlockError {
  const { code = '', reason } = error;
  // OpenSSL's own message has its source's lines in it
  const message =
    code.startsWith('ERR_SSL_') && typeof reason === 'string' ? reason : error.message;
  const at = `the Docker Engine of ${engine.name} (${engine.endpoint})`;
  const options = { cause: error, details: { target: engine.name, endpoint: engine.endpoint } };
  if (UNTRUSTED.test(code)) {
    return new LiftlockError(
      'target_untrusted',
      `${at} shows a certificate that does not prove who it is: ${message}; it must be valid, name the host of the endpoint, and be ` +
        'signed by credentials.ca. Nothing was sent to it',
      options,
    );
  }
  if (UNWANTED.test(code)) {
    return new LiftlockError(
      'target_refused',
      `${at} refused our certificate: ${message}; credentials.certificate must be valid, for clients, and signed by its --tlscacert`,
      options,
    );
  }
  if (/WRONG_VERSION_NUMBER|HTTP_REQUEST/.test(code)) {
    return new LiftlockError(
      'target_refused',
      `${at} does not speak TLS at that port: start it with --tlsverify`,
      options,
    );
  }
  const wayOut =
    code === 'EACCES'
      ? 'the service may not open the socket: add its user to the socket’s group'
      : hint;
  return new LiftlockError(
    'target_unreachable',
    `${at} does not answer: ${message}; ${wayOut}`,
    options,
  );
}

/** The engine was exchanged for one that does not speak the version that was settled. */
export function refusedVersion(error: unknown): boolean {
  const answer = error as EngineAnswer | undefined;
  return answer?.statusCode === 400 && isVersionRefusal(wordsOf(answer));
}

/** The engine's own words, without what dockerode puts around them. */
function wordsOf(answer: EngineAnswer): string {
  const json = answer.json as { message?: unknown } | undefined;
  const text = typeof json?.message === 'string' ? json.message : answer.message;
  return text.replace(/^\(HTTP code \d+\) [^-]*- /, '').trim();
}
