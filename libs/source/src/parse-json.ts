import { LiftlockError } from '#kernel';
import { assertTame } from './tame.js';

/** @throws LiftlockError `invalid_request` saying what is wrong with the text, or where it is nested too deeply. */
export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LiftlockError('invalid_request', `the body is not JSON: ${why}`, {
      cause,
      issues: [{ pointer: '', message: `not JSON: ${why}` }],
    });
  }
  assertTame(value);
  return value;
}
