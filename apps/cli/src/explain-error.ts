import { LiftlockError, type ErrorCode } from '#kernel';
import { EXIT } from './exit-codes.js';
import type { Output } from './output.js';
import { printable } from './show/text.js';

/** What a person can do about it, where the message itself does not say. */
const WAYS_OUT: Partial<Record<ErrorCode, string>> = {
  unauthenticated:
    'give a good token: --token or LIFTLOCK_TOKEN; that of the embedded fleet is in .liftlock/client.json',
  forbidden: 'an admin gives out another one: liftlock token create NAME --role ROLE',
  lock_held: 'liftlock watch UPGRADE shows the one that holds it',
  idempotency_mismatch: 'use another --key, or none',
  rate_limited: 'try again in a moment',
  unplannable: 'nothing was changed: mend what is named, then try again',
};

/** The command line, a document or the configuration is wrong: as given, it can never be done. */
const USAGE: readonly ErrorCode[] = [
  'invalid_document',
  'invalid_request',
  'body_too_large',
  'unsupported_media_type',
  'misconfigured',
  'unauthenticated',
  'forbidden',
  'not_found',
];

/** Tells on standard error what went wrong, where, and what to do. Returns the exit code. */
export function explainError(thrown: unknown, output: Output): number {
  const error = LiftlockError.from(thrown);
  const tell = (line: string): void => output.writeError(`${line}\n`);
  tell(`liftlock: ${error.message.split('\n').map(printable).join('\n')}`);
  for (const { pointer, message, line } of error.issues ?? []) {
    // one that the message has told is not told again
    if (error.message.includes(message)) continue;
    const place = line === undefined ? '' : `line ${line}: `;
    tell(`  ${place}${pointer === '' ? '' : `${pointer}: `}${printable(message)}`);
  }
  const way = WAYS_OUT[error.code];
  if (way !== undefined) tell(`  ${way}`);
  if (error.code === 'internal' && thrown instanceof Error) tell(thrown.stack ?? '');
  return USAGE.includes(error.code) ? EXIT.usage : EXIT.failed;
}
