import { LiftlockError } from '#kernel';
import type { Answer } from './answer.js';
import { retryAfterMs } from './back-off.js';

/** Statuses that may be otherwise in a moment. */
export function isPassing(status: number): boolean {
  return (
    status === 408 ||
    status === 425 ||
    status === 429 ||
    status === 500 ||
    (status >= 502 && status <= 504)
  );
}

const CERTIFICATE =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/;

/** An error's own code, as Node has it. */
export function nodeCode(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

/** It spoke something that is not TLS: most likely plain HTTP. */
export function speaksNoTls(error: unknown): boolean {
  const code = nodeCode(error);
  return (
    code === 'EPROTO' ||
    code === 'ERR_SSL_WRONG_VERSION_NUMBER' ||
    code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG'
  );
}

/** The server wanted a client certificate, or another one (TLS alerts, RFC 8446 6.2). */
const CLIENT_CERTIFICATE =
  /^ERR_SSL_.*ALERT_(BAD_CERTIFICATE|CERTIFICATE_REQUIRED|UNKNOWN_CA|CERTIFICATE_(?:EXPIRED|REVOKED|UNKNOWN))$/;

/** Nobody that we trust has signed its certificate. */
export function isUnknownSigner(error: unknown): boolean {
  return /SELF_SIGNED|UNABLE_TO_(VERIFY|GET)/.test(nodeCode(error));
}

/** What a failed connection is to the one who reads it. */
export function connectionFailed(registry: string, what: string, error: unknown): LiftlockError {
  if (error instanceof LiftlockError && error.code !== 'timeout') return error;
  const code = nodeCode(error);
  // what follows is advice for who starts Node
  const why = (error instanceof Error ? error.message : String(error)).replace(
    /; if the root CA is installed locally.*/s,
    '',
  );
  if (CERTIFICATE.test(code))
    return new LiftlockError(
      'registry_refused',
      `${what}: the certificate of ${registry} is not trusted (${why}): give the CA that signed it, or allow the registry to be insecure`,
      { cause: error },
    );
  const alert = CLIENT_CERTIFICATE.exec(code)?.[1];
  if (alert !== undefined)
    return new LiftlockError(
      'registry_denied',
      `${what}: ${registry} wants a client certificate, or another one (${alert.toLowerCase().replaceAll('_', ' ')}): give one that it trusts, and its key`,
      { cause: error },
    );
  if (speaksNoTls(error))
    return new LiftlockError(
      'registry_refused',
      `${what}: ${registry} does not speak TLS: if it is meant to be plain HTTP, allow the registry to be insecure`,
      { cause: error },
    );
  return new LiftlockError(
    'registry_unreachable',
    `${what}: ${registry} does not answer (${why})`,
    {
      cause: error,
      details: { registry, ...(code === '' ? {} : { errno: code }) },
    },
  );
}

interface RegistryError {
  readonly code: string;
  readonly message: string;
}

/** The registry's own words (distribution specification, "Error Codes"); what is none gives none. */
async function errorsOf(answer: Answer): Promise<readonly RegistryError[]> {
  try {
    const parsed: unknown = JSON.parse((await answer.bytes(64 * 1024)).toString('utf8'));
    const errors: unknown =
      typeof parsed === 'object' && parsed !== null && 'errors' in parsed
        ? parsed.errors
        : undefined;
    if (!Array.isArray(errors)) return [];
    return errors.flatMap((one: unknown) => {
      if (typeof one !== 'object' || one === null) return [];
      const { code, message } = one as { code?: unknown; message?: unknown };
      return [
        {
          code: typeof code === 'string' ? code : '',
          message: typeof message === 'string' ? message : '',
        },
      ];
    });
  } catch {
    return [];
  }
}

/** Longest wait that a registry can ask for and get, in milliseconds; what asks for more is told to the person instead. */
export const LONGEST_RETRY_AFTER_MS = 120_000;

/** An answer that is not what was asked for, as an error. Reads the body. */
export async function refusal(
  registry: string,
  what: string,
  answer: Answer,
): Promise<LiftlockError> {
  const { status } = answer;
  const errors = await errorsOf(answer);
  const told = errors
    .map(({ code, message }) => [code, message].filter(Boolean).join(': '))
    .join('; ');
  const said = told === '' ? `${status}` : `${status} ${told}`;
  const details = { registry, status, codes: errors.map(({ code }) => code) };
  if (status === 401 || status === 403)
    return new LiftlockError(
      'registry_denied',
      `${what}: ${registry} does not allow it (${said}): sign in (docker login ${registry}) or give credentials that may`,
      { details },
    );
  if (status === 404)
    return new LiftlockError('image_missing', `${what}: ${registry} has no such thing (${said})`, {
      details,
    });
  const wait = retryAfterMs(answer.header('retry-after'), Date.now());
  const after = wait === undefined ? {} : { retryAfterMs: wait };
  if (status === 429)
    return new LiftlockError(
      'rate_limited',
      `${what}: ${registry} says that it was asked too often (${said})${wait === undefined ? '' : `; it may be asked again in ${Math.ceil(wait / 1_000)} s`}`,
      { details, ...after },
    );
  if (isPassing(status))
    return new LiftlockError(
      'registry_unreachable',
      `${what}: ${registry} is in trouble (${said})`,
      {
        details,
        ...after,
      },
    );
  return new LiftlockError('registry_refused', `${what}: ${registry} refused (${said})`, {
    details,
  });
}

/** The status that a refusal came with. */
export function statusOf(error: unknown): number | undefined {
  const status = error instanceof LiftlockError ? error.details?.['status'] : undefined;
  return typeof status === 'number' ? status : undefined;
}

export function hasCode(error: unknown, code: string): boolean {
  const codes = error instanceof LiftlockError ? error.details?.['codes'] : undefined;
  return Array.isArray(codes) && codes.includes(code);
}
