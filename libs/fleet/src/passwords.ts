import { randomBytes } from 'node:crypto';

/** 192 random bits, safe in a URL, in a NATS and in a Redis configuration. */
export function newPassword(): string {
  return randomBytes(24).toString('hex');
}

/** One password for each name. */
export function newPasswords<const Name extends string>(
  names: readonly Name[],
): Record<Name, string> {
  return Object.fromEntries(names.map((name) => [name, newPassword()])) as Record<Name, string>;
}
