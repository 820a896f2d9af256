/** How patiently webhooks are delivered. */
export interface DeliveryPolicy {
  /** Tries in all. */
  readonly maxAttempts: number;
  /** Milliseconds before the second try; three times as long before each further one. */
  readonly backoffMs: number;
  /** Longest wait between two tries, in milliseconds. */
  readonly maxBackoffMs: number;
  /** Milliseconds that a receiver may take to answer. */
  readonly timeoutMs: number;
  /** Milliseconds for which a claim holds: longer than a try may take. When it has ended another replica takes over. */
  readonly leaseMs: number;
  /** Milliseconds between two looks for what is due. */
  readonly pollMs: number;
}

/** Twelve tries over about four hours. */
export const PATIENT: DeliveryPolicy = {
  maxAttempts: 12,
  backoffMs: 1_000,
  maxBackoffMs: 3_600_000,
  timeoutMs: 10_000,
  leaseMs: 30_000,
  pollMs: 500,
};

/**
 * Milliseconds until the next try after `attempts` have failed; nothing when there is none.
 * @param askedForMs what the receiver asked for by `Retry-After`: honoured up to the longest wait.
 */
export function nextTryInMs(
  policy: DeliveryPolicy,
  attempts: number,
  askedForMs = 0,
): number | undefined {
  if (attempts >= policy.maxAttempts) return undefined;
  const backoff = policy.backoffMs * 3 ** (attempts - 1);
  return Math.min(Math.max(backoff, askedForMs), policy.maxBackoffMs);
}
