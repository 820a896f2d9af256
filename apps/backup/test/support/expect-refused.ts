import { expect } from 'vitest';
import { LiftlockError } from '#kernel';

export async function expectRefused(
  attempt: Promise<unknown>,
  code: string,
  message: RegExp = /./,
): Promise<void> {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => LiftlockError.from(thrown),
  );
  expect({ code: error?.code, message: error?.message }).toMatchObject({ code });
  expect(error?.message).toMatch(message);
}
