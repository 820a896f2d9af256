import type { ApplicationBackStep, Step } from '#contracts';
import { isAtRest, mayHaveBegun, stopForward } from './back.js';
import { begunIrreversible, begunLanes, beginRollback } from './failure.js';
import { ended } from './saga.js';
import type { Turn } from './turn.js';
import { holdsBack } from './windows.js';

/**
 * What the application wants done once before any of its instances is begun.
 * @returns whether it is done; it waits for a window as the first wave would.
 */
export function openApplication(turn: Turn): boolean {
  const before = turn.index.plan.applicationHooks?.before ?? [];
  const [first] = before;
  if (first !== undefined && turn.saga.steps[first.id] === undefined && holdsBack(turn))
    return false;
  return walkForward(turn, before);
}

/**
 * What it wants done once when all that goes forward is verified: before the bake, so that it can still be taken back.
 * @returns whether it is done.
 */
export function closeApplication(turn: Turn): boolean {
  return walkForward(turn, turn.index.plan.applicationHooks?.after ?? []);
}

/**
 * The way back begins with what came last. No instance goes back before it is known what the hooks did, and before `after` is undone.
 * @returns whether instances may go back.
 */
export function reopenApplication(turn: Turn): boolean {
  const hooks = turn.index.plan.applicationHooks;
  if (hooks === undefined) return true;
  const forward = [...hooks.before, ...hooks.after].map(({ id }) => id);
  stopForward(turn, forward);
  if (forward.some((id) => !isAtRest(turn.saga.steps[id]))) return false;
  return walkBackwards(turn, hooks.undoAfter);
}

/**
 * And ends, when all instances are back, with what came first, and with what is only for the way back.
 * @returns whether it is done.
 */
export function settleApplication(turn: Turn): boolean {
  return walkBackwards(turn, turn.index.plan.applicationHooks?.onceBack ?? []);
}

/** One after the other: the next begins when the one before has succeeded. */
function walkForward(turn: Turn, steps: readonly Step[]): boolean {
  const { saga } = turn;
  const next = steps.find(({ id }) => !ended(saga.steps[id]));
  if (next === undefined) return true;
  const progress = saga.steps[next.id];
  switch (progress?.status) {
    case undefined:
    case 'ready':
      turn.dispatch(next.id, 'forward');
      break;
    case 'in_doubt': {
      const message = `${next.title}: it cannot be known whether it happened`;
      turn.callForAttention([next.id], message, progress.error);
      break;
    }
    case 'failed':
      hookFailed(turn, next);
      break;
    default:
  }
  return false;
}

/** Whatever the scope of a failure is: it is none of one instance. */
function hookFailed(turn: Turn, step: Step): void {
  const { saga } = turn;
  const error = saga.steps[step.id]?.error;
  const message = `${step.title}: ${error?.message ?? 'failed'}`;
  const lanes = begunLanes(turn);
  const irreversible = begunIrreversible(turn, lanes);
  if (irreversible !== undefined) {
    const why = `${message}; ${irreversible} cannot be taken back: mend the cause and retry`;
    turn.callForAttention([step.id], why, error);
    return;
  }
  saga.cause = { kind: 'failure', message, step: step.id };
  beginRollback(turn, lanes);
}

function walkBackwards(turn: Turn, steps: readonly ApplicationBackStep[]): boolean {
  const { saga } = turn;
  const next = steps.find((step) => isNeeded(turn, step) && !ended(saga.steps[step.id]));
  if (next === undefined) return true;
  const progress = saga.steps[next.id];
  switch (progress?.status) {
    case undefined:
    case 'ready':
      turn.dispatch(next.id, 'back');
      break;
    case 'failed':
    case 'in_doubt': {
      const message = `on the way back, ${next.title}: ${progress.error?.message ?? 'failed'}`;
      turn.callForAttention([next.id], message, progress.error);
      break;
    }
    default:
  }
  return false;
}

/** What it undoes has begun; where it undoes nothing: anything has. */
function isNeeded(turn: Turn, { when }: ApplicationBackStep): boolean {
  const { saga, index } = turn;
  if (when !== undefined) return when.some((id) => mayHaveBegun(saga.steps[id]));
  const { before = [] } = index.plan.applicationHooks ?? {};
  return begunLanes(turn).length > 0 || before.some(({ id }) => mayHaveBegun(saga.steps[id]));
}
