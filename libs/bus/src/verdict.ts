import type { LiftlockError } from '#kernel';
import type { CommandContract } from '#contracts';

/** What becomes of a delivery whose handler failed. */
export type Verdict =
  | { readonly kind: 'again'; readonly delayMs: number }
  | { readonly kind: 'dead_letter' };

/**
 * From the error's class and how often it was tried. The last delivery but one is the last that is handled: whatever happens to the
 * answer, the broker has one left in which the dead letter can be kept again.
 */
export function verdictOn(
  error: LiftlockError,
  contract: CommandContract | undefined,
  deliveries: number,
): Verdict {
  if (contract === undefined || !error.retryable) return { kind: 'dead_letter' };
  if (deliveries >= contract.maxDeliver - 1) return { kind: 'dead_letter' };
  const { backoffMs } = contract;
  const backoff = backoffMs[Math.min(deliveries, backoffMs.length) - 1] ?? 1_000;
  // an error may ask for more patience than the contract, never for less: the deliveries are counted
  return { kind: 'again', delayMs: Math.max(backoff, error.retryAfterMs ?? 0) };
}

/**
 * Whether a delivery is refused before it is handled: so often can nothing be delivered whose failures were seen (those end at
 * `maxDeliver`, but for a time in which the dead letter could not be kept); it kills the process each time.
 */
export function isExhausted(contract: CommandContract, deliveries: number): boolean {
  return deliveries > contract.maxDeliver * 10;
}
