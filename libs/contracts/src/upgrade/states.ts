import { z } from 'zod';

export const UPGRADE_STATES = [
  'planning',
  'awaiting_approval',
  'scheduled',
  'running',
  'paused',
  'baking',
  'rolling_back',
  'needs_attention',
  'succeeded',
  'partially_succeeded',
  'rolled_back',
  'failed',
  'rejected',
  'cancelled',
] as const;
export type UpgradeState = (typeof UPGRADE_STATES)[number];
export const upgradeState = z.enum(UPGRADE_STATES);

export const FINAL_STATES = [
  'succeeded',
  'partially_succeeded',
  'rolled_back',
  'failed',
  'rejected',
  'cancelled',
] as const satisfies readonly UpgradeState[];
export type FinalState = (typeof FINAL_STATES)[number];

export function isFinal(state: UpgradeState): state is FinalState {
  return (FINAL_STATES as readonly UpgradeState[]).includes(state);
}

/** What a person may ask of an upgrade. */
export const ACTIONS_ON_UPGRADE = [
  'approve',
  'reject',
  'cancel',
  'pause',
  'resume',
  'rollback',
  'retry',
  'skip',
  'resolve',
] as const;
export type UpgradeAction = (typeof ACTIONS_ON_UPGRADE)[number];
