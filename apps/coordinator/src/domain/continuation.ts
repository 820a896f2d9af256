import { LiftlockError } from '#kernel';
import { isFinal, type UpgradeRequest } from '#contracts';
import type { UpgradeRecord } from './upgrade-view.js';

/**
 * What is left is found by looking at what runs, as every plan is made; this only keeps a person from continuing something else.
 * @throws LiftlockError `conflict` saying why nothing is left to continue, or what differs.
 */
export function assertContinuable(before: UpgradeRecord, request: UpgradeRequest): void {
  const { state } = before.saga;
  const refuse = (why: string): LiftlockError =>
    new LiftlockError('conflict', `upgrade ${before.id} cannot be continued: ${why}`, {
      details: { state },
    });
  for (const field of ['environment', 'application', 'release'] as const)
    if (before[field] !== request[field])
      throw refuse(`it is of ${field} ${before[field]}, not of ${request[field]}`);
  if (!isFinal(state)) throw refuse(`it is ${state}; retry, resolve or cancel it`);
  if (state !== 'succeeded') return;
  throw refuse(
    before.request.exclude === undefined
      ? 'it succeeded, and nothing is left of it'
      : 'it succeeded, and what it left out is for an upgrade of its own: ask for it without `continues`',
  );
}
