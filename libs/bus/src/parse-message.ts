import type { z } from 'zod';
import { LiftlockError, type ErrorCode } from '#kernel';

/** Places that the message of an error names; all of them are in its `issues`. */
const NAMED = 3;

/**
 * What a schema makes of a message.
 * @throws LiftlockError with the given code, and each field that is wrong as a JSON Pointer.
 */
export function parseMessage<S extends z.ZodType>(
  schema: S,
  value: unknown,
  code: ErrorCode,
  what: string,
): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({
    pointer: issue.path.map((part) => `/${escapePointer(String(part))}`).join(''),
    message: issue.message,
  }));
  const named = issues
    .slice(0, NAMED)
    .map(({ pointer, message }) => `${pointer || '/'}: ${message}`);
  throw new LiftlockError(code, `${what} is not as the catalogue says: ${named.join('; ')}`, {
    issues,
  });
}

/** RFC 6901. */
function escapePointer(part: string): string {
  return part.replaceAll('~', '~0').replaceAll('/', '~1');
}
