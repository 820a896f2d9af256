/** What the saga makes of a step that ended with an error. */
export type StepVerdict =
  /** try again, as the step's retry policy allows */
  | 'retry'
  /** the attempt failed for good: the lane fails */
  | 'fail'
  /** it cannot be known whether the effect happened: a person decides, unless the step can be looked at or repeated */
  | 'in_doubt';

export interface ErrorClass {
  /** What the saga does with a step that ended so. */
  readonly step: StepVerdict;
  /** Status of the HTTP answer (RFC 9110) when a request ends so. */
  readonly http: number;
  /** Level of the log line. */
  readonly log: 'debug' | 'info' | 'warn' | 'error';
  /** Title of the RFC 9457 problem. */
  readonly title: string;
}

const entry = (
  step: StepVerdict,
  http: number,
  log: ErrorClass['log'],
  title: string,
): ErrorClass => ({ step, http, log, title });

/** Every error code of the project, and what follows from it: saga, HTTP and log in one place. */
export const ERROR_CODES = {
  // requests
  invalid_document: entry('fail', 422, 'info', 'The document is not valid'),
  invalid_request: entry('fail', 400, 'info', 'The request is not valid'),
  body_too_large: entry('fail', 413, 'info', 'The body is too large'),
  unsupported_media_type: entry('fail', 415, 'info', 'The media type is not supported'),
  unauthenticated: entry('fail', 401, 'info', 'A bearer token is needed'),
  forbidden: entry('fail', 403, 'info', 'The token has not the role for this'),
  not_found: entry('fail', 404, 'info', 'There is no such thing'),
  method_not_allowed: entry('fail', 405, 'info', 'The method is not allowed here'),
  conflict: entry('fail', 409, 'info', 'The state does not allow this'),
  precondition_failed: entry('fail', 412, 'info', 'It was changed in between'),
  idempotency_mismatch: entry('fail', 422, 'info', 'The key was used for another request'),
  lock_held: entry('fail', 409, 'info', 'Another upgrade holds the instance'),
  rate_limited: entry('retry', 429, 'info', 'Too many requests'),
  // planning
  unplannable: entry('fail', 422, 'info', 'No plan can be made'),
  drift: entry('fail', 409, 'warn', 'The target is not as it was planned'),
  unobservable: entry('fail', 502, 'warn', 'The target cannot be observed'),
  // steps
  invalid_step: entry('fail', 500, 'error', 'The step is not valid'),
  unknown_action: entry('fail', 500, 'error', 'No service knows the action'),
  target_unreachable: entry('retry', 502, 'warn', 'The target cannot be reached'),
  target_untrusted: entry('fail', 502, 'error', 'The target does not prove who it is'),
  target_refused: entry('fail', 502, 'warn', 'The target refused'),
  image_missing: entry('fail', 502, 'warn', 'The image is not there'),
  port_taken: entry('fail', 502, 'warn', 'A port is taken'),
  container_exited: entry('fail', 502, 'warn', 'The container ended at once'),
  out_of_memory: entry('fail', 502, 'warn', 'The container ran out of memory'),
  not_empty: entry('fail', 502, 'warn', 'Something else is in the way'),
  data_in_use: entry('fail', 409, 'error', 'Data is mounted by something that runs'),
  data_missing: entry('fail', 502, 'error', 'The data is not there'),
  data_corrupt: entry('fail', 502, 'error', 'The data is not as it was written'),
  data_changed: entry('retry', 502, 'warn', 'The data changed while it was read'),
  disk_full: entry('fail', 507, 'error', 'No space is left'),
  check_failed: entry('fail', 502, 'warn', 'The check did not pass in time'),
  hook_failed: entry('retry', 502, 'warn', 'A hook failed'),
  timeout: entry('retry', 504, 'warn', 'It took longer than allowed'),
  fenced: entry('fail', 500, 'info', 'A later attempt has taken over'),
  revoked: entry('fail', 500, 'info', 'The attempt was called back'),
  lost: entry('in_doubt', 500, 'warn', 'The process that ran the attempt is gone'),
  // images
  registry_unreachable: entry('retry', 502, 'warn', 'The registry cannot be reached'),
  registry_denied: entry('fail', 502, 'warn', 'The registry does not let us'),
  registry_refused: entry('fail', 502, 'warn', 'The registry refused'),
  image_corrupt: entry('fail', 502, 'error', 'An image is not what its digest says'),
  image_untrusted: entry('fail', 422, 'error', 'An image is not signed as the policy asks'),
  // the fleet itself
  unavailable: entry('retry', 503, 'warn', 'A service does not answer'),
  misconfigured: entry('fail', 500, 'error', 'The service is not configured well'),
  internal: entry('retry', 500, 'error', 'An error inside Liftlock'),
} as const satisfies Record<string, ErrorClass>;

export type ErrorCode = keyof typeof ERROR_CODES;

export const errorCodes = Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]];

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
}
