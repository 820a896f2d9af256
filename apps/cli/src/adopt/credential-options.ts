import { credentials, type Credentials } from '#contracts';
import { LiftlockError } from '#kernel';

/**
 * `name=reference` of the command line, as a target's credentials: references only, since secrets on a command line are read by all
 * who may list processes.
 *
 * @throws LiftlockError `invalid_request` that says how it is written.
 */
export function parseCredentials(options: readonly string[]): Credentials | undefined {
  if (options.length === 0) return undefined;
  const pairs = options.map((option) => {
    const end = option.indexOf('=');
    return [option.slice(0, Math.max(end, 0)), option.slice(end + 1)] as const;
  });
  const parsed = credentials.safeParse(Object.fromEntries(pairs));
  if (parsed.success) return parsed.data;
  // what was written may be the secret itself: it is not repeated
  throw new LiftlockError(
    'invalid_request',
    `--credential is NAME=env:LIFTLOCK_SECRET_…, with NAME one of ${Object.keys(credentials.shape).join(', ')}: ` +
      'a reference, never the secret itself',
  );
}
