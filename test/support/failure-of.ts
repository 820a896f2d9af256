import { LiftlockError } from '#kernel';

/** The error of what is to fail. @throws what it failed with otherwise, or that it did not. */
export async function failureOf(attempt: Promise<unknown>): Promise<LiftlockError> {
  const error: unknown = await attempt.then(
    (value) => new Error(`it went well: ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (error instanceof LiftlockError) return error;
  throw error;
}
