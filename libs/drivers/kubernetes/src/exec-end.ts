import { ApiAnswer } from './errors.js';

/** For so long the API server may take to begin a command, in milliseconds. */
export const BEGIN_MS = 60_000;

/** As the API tells how a command ended (`Status` of meta/v1). */
export interface EndStatus {
  readonly status?: string;
  readonly message?: string;
  readonly details?: {
    readonly causes?: ReadonlyArray<{ readonly reason?: string; readonly message?: string }>;
  };
}

/** @returns undefined where it is told that the command was not begun, or did not come to an end of its own. */
export function exitCodeOf({ status, details }: EndStatus): number | undefined {
  if (status === 'Success') return 0;
  const code = details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  return code === undefined ? undefined : Number(code);
}

/** Why a command could not be begun. The client gives no more than the status of an answer that is not the protocol's. */
export function refusalOf(error: unknown): Error {
  const { message = 'no answer', error: inner } = (error ?? {}) as {
    message?: string;
    error?: Error;
  };
  const status = Number(/Unexpected server response: (\d+)/.exec(message)?.[1]);
  if (Number.isInteger(status))
    return new ApiAnswer(status, '', `it was answered with HTTP status ${status}`);
  return inner ?? (error instanceof Error ? error : new Error(message));
}

/** Of a connection that nobody can tell the command's end by. @param code of Node, as of a socket */
export function broken(message: string, code: 'ETIMEDOUT' | 'ECONNRESET'): Error {
  return Object.assign(new Error(message), { code });
}
