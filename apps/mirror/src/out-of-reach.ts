import { LiftlockError, type ErrorCode } from '#kernel';

const CODES: readonly ErrorCode[] = [
  'registry_unreachable',
  'registry_denied',
  'registry_refused',
  'rate_limited',
  'image_missing',
  'timeout',
];

/** Whether an image cannot be had from where it comes from: the mirror may have it all the same. */
export function isOutOfReach(thrown: unknown): boolean {
  return thrown instanceof LiftlockError && CODES.includes(thrown.code);
}
