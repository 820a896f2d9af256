import { problem, type Problem } from '#contracts';
import { LiftlockError } from '#kernel';

/** An error answer of the API (RFC 9457) as one of ours; the fields that are wrong are its issues. */
export function errorOfProblem(body: unknown, status: number, what: string): LiftlockError {
  const parsed = problem.safeParse(body);
  if (!parsed.success)
    return new LiftlockError(
      status >= 500 ? 'unavailable' : 'internal',
      `${what}: status ${status}, and no problem that Liftlock would send: is the address that of its API?`,
      { retryable: status >= 500 },
    );
  const { code, errors = [], details } = parsed.data;
  return new LiftlockError(code, messageOf(parsed.data), {
    retryable: status === 503 || status === 429,
    issues: errors.map(({ pointer, detail, line }) => ({
      pointer,
      message: detail,
      ...(line === undefined ? {} : { line }),
    })),
    ...(details === undefined ? {} : { details }),
  });
}

/** Where several fields are named one by one below it, the title alone. */
function messageOf({ title, detail, errors = [] }: Problem): string {
  return errors.length > 1 && errors.every((one) => detail.includes(one.detail)) ? title : detail;
}
