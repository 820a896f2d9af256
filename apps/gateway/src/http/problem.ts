import { HttpException } from '@nestjs/common';
import type { Problem } from '#contracts';
import { ERROR_CODES, LiftlockError, type ErrorCode } from '#kernel';

/** The RFC 9457 form of an error. What is inside Liftlock stays inside: its words go to the log, under the request's id. */
export function problemOf(error: LiftlockError, requestId: string): Problem {
  const { http, title } = ERROR_CODES[error.code];
  const inside = error.code === 'internal';
  return {
    type: `https://liftlock.dev/problems/${error.code.replaceAll('_', '-')}`,
    title,
    status: http,
    detail: inside
      ? `an error inside Liftlock: its log has more under ${requestId}`
      : error.message,
    instance: `urn:liftlock:request:${requestId}`,
    code: error.code,
    ...(error.issues === undefined
      ? {}
      : {
          errors: error.issues.map(({ pointer, message, line }) => ({
            pointer,
            detail: message,
            ...(line === undefined ? {} : { line }),
          })),
        }),
    ...(error.details === undefined || inside ? {} : { details: error.details }),
  };
}

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  413: 'body_too_large',
  415: 'unsupported_media_type',
};

/** Any thrown thing as one of ours; Nest's and Express' own by their status. */
export function asLiftlockError(thrown: unknown): LiftlockError {
  if (thrown instanceof HttpException) {
    const code = CODE_OF_STATUS[thrown.getStatus()] ?? 'internal';
    return new LiftlockError(code, thrown.message, { cause: thrown });
  }
  if (thrown instanceof URIError) {
    return new LiftlockError('invalid_request', 'the path cannot be decoded', { cause: thrown });
  }
  return LiftlockError.from(thrown);
}

/** Seconds after which it makes sense to ask again; `undefined` where it makes none. */
export function retryAfterSeconds(error: LiftlockError): number | undefined {
  if (error.retryAfterMs !== undefined) return Math.max(1, Math.ceil(error.retryAfterMs / 1000));
  return error.code === 'unavailable' || error.code === 'rate_limited' ? 1 : undefined;
}
