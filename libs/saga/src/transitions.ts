import { FINAL_STATES, UPGRADE_STATES, type UpgradeState } from '#contracts';

/** Which state may follow which: the whole table, as data. What is not here cannot happen. */
export const TRANSITIONS = {
  planning: ['awaiting_approval', 'scheduled', 'failed', 'cancelled'],
  awaiting_approval: ['scheduled', 'rejected', 'cancelled'],
  scheduled: ['running', 'failed', 'cancelled'],
  running: ['paused', 'baking', 'rolling_back', 'needs_attention', 'failed'],
  paused: ['running', 'rolling_back'],
  baking: ['rolling_back', 'succeeded', 'partially_succeeded'],
  rolling_back: ['needs_attention', 'rolled_back'],
  needs_attention: ['running', 'rolling_back'],
  succeeded: [],
  partially_succeeded: [],
  rolled_back: [],
  failed: [],
  rejected: [],
  cancelled: [],
} as const satisfies Record<UpgradeState, readonly UpgradeState[]>;

export function mayFollow(from: UpgradeState, to: UpgradeState): boolean {
  return (TRANSITIONS[from] as readonly UpgradeState[]).includes(to);
}

/**
 * Looks at a table as a whole: every state is reachable from `planning`, final states lead nowhere, all others lead to a final one.
 * @throws Error naming the state, when the table is not sound: a service with such a table does not start.
 */
export function assertSound(
  table: Readonly<Record<UpgradeState, readonly UpgradeState[]>> = TRANSITIONS,
): void {
  const reached = reachable(table, 'planning');
  const finals: readonly UpgradeState[] = FINAL_STATES;
  for (const state of UPGRADE_STATES) {
    if (!reached.has(state)) throw new Error(`state ${state} cannot be reached from planning`);
    if (finals.includes(state)) {
      if (table[state].length > 0) throw new Error(`final state ${state} must not lead anywhere`);
    } else if (![...reachable(table, state)].some((next) => finals.includes(next))) {
      throw new Error(`state ${state} never leads to a final state`);
    }
  }
}

function reachable(
  table: Readonly<Record<UpgradeState, readonly UpgradeState[]>>,
  from: UpgradeState,
): Set<UpgradeState> {
  const seen = new Set<UpgradeState>([from]);
  for (const state of seen) for (const next of table[state]) seen.add(next);
  return seen;
}
