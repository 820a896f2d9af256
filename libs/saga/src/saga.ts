import type { ErrorShape } from '#kernel';
import type { Approval, Direction, UpgradeState } from '#contracts';

/**
 * Where one step stands. Absent from the saga: never dispatched.
 * `ready`: to be dispatched when the state allows it. `dispatched`: an attempt is, or may be, under way. `waiting`: until its next
 * try is due. `revoking`: the attempt was called back and has not answered. `in_doubt`: it cannot be known whether it happened.
 */
export const STEP_STATUSES = [
  'ready',
  'dispatched',
  'waiting',
  'revoking',
  'succeeded',
  'failed',
  'in_doubt',
  'skipped',
] as const;
export type StepStatus = (typeof STEP_STATUSES)[number];

export interface StepProgress {
  status: StepStatus;
  direction: Direction;
  /** The last number given out; grows with every dispatch and every revocation. */
  token: number;
  /** Dispatches in all. */
  attempt: number;
  /** Tries that failed since the budget was last reset. */
  failures: number;
  /** Attempts whose process died. */
  lost: number;
  /** Whether any attempt may have changed something, as far as is known. Never goes back to false. */
  began: boolean;
  /** Its service has told that the attempt runs. What ends within half a second is told of as one. */
  started?: boolean;
  /** Attempts that were called back and had not begun: its service had no place for them. Since the budget was last reset. */
  queued?: number;
  /** What a revocation is for, under way or unanswered: another try, or the way back (of its lane, or of a bracket). */
  revokedFor?: 'retry' | 'back';
  /** A revocation was not answered: something may still be running. Until the step is dispatched, or called back, once more. */
  unanswered?: boolean;
  error?: ErrorShape;
}

export const LANE_STATUSES = [
  'pending',
  'forward',
  'verified',
  'back',
  'taken_back',
  'left_out',
] as const;
/** `left_out`: never begun, and will not be. */
export type LaneStatus = (typeof LANE_STATUSES)[number];

/** What sent it back, for the history and for people. */
export interface Cause {
  kind: 'failure' | 'cancelled' | 'by_hand' | 'bake_check';
  message: string;
  step?: string;
}

/** All that is known of one upgrade besides its plan: plain data, JSON in and out. */
export interface Saga {
  state: UpgradeState;
  /** Where `needs_attention` came from, and goes back to. */
  resumeTo?: 'running' | 'rolling_back';
  steps: Record<string, StepProgress>;
  lanes: Record<string, LaneStatus>;
  /** By bracket, from the dispatch of its acquire step until its release step has ended. Absent: not held. */
  held: Record<string, 'holding' | 'letting_go'>;
  /** Steps that a person must decide on. */
  attention: string[];
  /** Instances that failed. */
  failures: string[];
  /** No further lane is begun. */
  stopped: boolean;
  cause?: Cause;
  /** Of `failed` and `rejected`: why. */
  error?: ErrorShape;
  /** Hops that were announced as begun, and as verified. */
  announced: string[];
  /** One person once. */
  approvals?: Approval[];
  /** What it waits for before it begins, or, paused by its window, before it goes on. RFC 3339, and a sentence. */
  waiting?: { until: string; message: string };
  /** Its window has closed, and waves that have not begun wait until it opens. */
  closed?: { until: string; message: string };
  /** Paused without a person: it goes on when the window opens. */
  pausedBy?: 'window';
  bake?: { over: boolean; round: number; finalizing: boolean };
}

export function newSaga(): Saga {
  return {
    state: 'planning',
    steps: {},
    lanes: {},
    held: {},
    attention: [],
    failures: [],
    stopped: false,
    announced: [],
  };
}

/** An attempt is, or may be, under way. */
export function inFlight(progress: StepProgress | undefined): boolean {
  return (
    progress !== undefined && (progress.status === 'dispatched' || progress.status === 'revoking')
  );
}

/** It was called back for the way back, in vain. */
export function isUnansweredBack(progress: StepProgress | undefined): boolean {
  return progress?.unanswered === true && progress.revokedFor === 'back';
}

/** It is done, or a person has said that it need not be. What failed has not ended so: it is decided on. */
export function ended(progress: StepProgress | undefined): boolean {
  return progress?.status === 'succeeded' || progress?.status === 'skipped';
}
