import type { Bracket } from '#contracts';
import { assertNever } from '#kernel';
import { ended, inFlight, isUnansweredBack } from './saga.js';
import type { Turn } from './turn.js';

/** What was let go of is held no more, and may be acquired again. */
export function noteReleased(turn: Turn): void {
  const { saga } = turn;
  for (const bracket of turn.index.plan.brackets) {
    if (saga.held[bracket.id] !== 'letting_go' || !ended(saga.steps[bracket.release.id])) continue;
    delete saga.held[bracket.id];
    forget(turn, bracket.acquire.id);
    forget(turn, bracket.release.id);
  }
}

/**
 * Makes sure that all brackets are held that a lane's next step forward needs.
 * @returns whether they are; while they are not, the lane waits.
 */
export function acquireForward(turn: Turn, lane: string, next: string): boolean {
  const order = turn.index.lane(lane).lane.steps.map((step) => step.id);
  return turn.index
    .bracketsOf(lane)
    .filter(({ beforeStep }) => order.indexOf(next) >= order.indexOf(beforeStep ?? next))
    .map((bracket) => acquire(turn, bracket))
    .every(Boolean);
}

/**
 * Makes sure that around a lane that goes back only those brackets are held that are meant to be.
 * @returns whether it is so; while it is not, the way back waits.
 */
export function acquireBack(turn: Turn, lane: string): boolean {
  const around = turn.index.bracketsOf(lane);
  const letGo = release(
    turn,
    (bracket) =>
      !bracket.duringRollback &&
      around.includes(bracket) &&
      bracket.lanes.every((id) => turn.saga.lanes[id] !== 'forward'),
  );
  const held = around
    .filter((bracket) => bracket.duringRollback)
    .map((bracket) => acquire(turn, bracket));
  return letGo && held.every(Boolean);
}

function acquire(turn: Turn, bracket: Bracket): boolean {
  const { saga } = turn;
  const held = saga.held[bracket.id];
  switch (held) {
    case undefined:
      saga.held[bracket.id] = 'holding';
      turn.dispatch(bracket.acquire.id, 'bracket');
      return false;
    case 'letting_go':
      // only when that is done is it taken again
      redispatch(turn, bracket.release.id);
      return false;
    case 'holding':
      redispatch(turn, bracket.acquire.id);
      return ended(saga.steps[bracket.acquire.id]);
    default:
      return assertNever(held, 'bracket');
  }
}

function redispatch(turn: Turn, stepId: string): void {
  const progress = turn.saga.steps[stepId];
  if (progress === undefined || progress.status === 'ready') turn.dispatch(stepId, 'bracket');
}

/**
 * Lets go of brackets.
 * @returns whether none of those is held any more.
 */
export function release(turn: Turn, which: (bracket: Bracket) => boolean): boolean {
  const { saga } = turn;
  const held = turn.index.plan.brackets.filter(
    (bracket) => saga.held[bracket.id] !== undefined && which(bracket),
  );
  for (const bracket of held) {
    const acquired = saga.steps[bracket.acquire.id];
    if (inFlight(acquired)) continue;
    if (acquired?.unanswered === true) {
      // it may yet acquire: let go of before that, it would stay held
      if (!isUnansweredBack(acquired)) turn.revoke(bracket.acquire.id, acquired, 'back');
      continue;
    }
    if (acquired?.status === 'waiting') acquired.status = 'ready';
    saga.held[bracket.id] = 'letting_go';
    redispatch(turn, bracket.release.id);
  }
  return held.length === 0;
}

/** Acquire steps around a lane that failed for good. */
export function failedAcquisition(turn: Turn, lane: string): string | undefined {
  return turn.index
    .bracketsOf(lane)
    .filter((bracket) => turn.saga.held[bracket.id] === 'holding')
    .map((bracket) => bracket.acquire.id)
    .find((id) => isStuck(turn, id));
}

/** The step may come again. That an attempt has not answered is kept in mind: going back, and letting go, have to wait for it. */
export function reopen(turn: Turn, stepId: string): void {
  const unanswered = turn.saga.steps[stepId]?.unanswered === true;
  forget(turn, stepId);
  const progress = turn.saga.steps[stepId];
  if (unanswered && progress !== undefined) progress.unanswered = true;
}

/** Release steps that failed for good: nothing ends well before a person has seen to them. */
export function failedReleases(turn: Turn): string[] {
  return turn.index.plan.brackets
    .filter((bracket) => turn.saga.held[bracket.id] === 'letting_go')
    .map((bracket) => bracket.release.id)
    .filter((id) => isStuck(turn, id));
}

function isStuck(turn: Turn, stepId: string): boolean {
  const status = turn.saga.steps[stepId]?.status;
  return status === 'failed' || status === 'in_doubt';
}

/** The step may come again: its numbers go on, its budget and its outcome do not. */
export function forget(turn: Turn, stepId: string): void {
  const progress = turn.saga.steps[stepId];
  if (progress === undefined) return;
  progress.status = 'ready';
  progress.failures = 0;
  progress.lost = 0;
  delete progress.queued;
  delete progress.error;
  delete progress.revokedFor;
  delete progress.unanswered;
}
