import type { UpgradeState } from '#contracts';
import { assertNever } from '#kernel';

/** What the shell is told; `upgrade` and `watch` use all of them, the other commands the first three. */
export const EXIT = {
  succeeded: 0,
  /** failed or cancelled */
  failed: 1,
  /** wrong command line, document or configuration: nothing was done */
  usage: 2,
  rolledBack: 3,
  needsAttention: 4,
  partiallySucceeded: 5,
} as const;

/** What the shell is told of an upgrade that has ended, or waits for a person. */
export function exitCodeOf(state: UpgradeState): number {
  switch (state) {
    case 'succeeded':
      return EXIT.succeeded;
    case 'rolled_back':
      return EXIT.rolledBack;
    case 'needs_attention':
      return EXIT.needsAttention;
    case 'partially_succeeded':
      return EXIT.partiallySucceeded;
    case 'failed':
    case 'rejected':
    case 'cancelled':
      return EXIT.failed;
    case 'planning':
    case 'awaiting_approval':
    case 'scheduled':
    case 'running':
    case 'paused':
    case 'baking':
    case 'rolling_back':
      // it is on its way: nothing has gone wrong
      return EXIT.succeeded;
    default:
      return assertNever(state, 'state');
  }
}
