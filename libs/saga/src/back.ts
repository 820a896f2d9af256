import { assertNever } from '#kernel';
import type { CompensationStep } from '#contracts';
import { acquireBack, failedAcquisition } from './brackets.js';
import { ended, inFlight, isUnansweredBack, type StepProgress } from './saga.js';
import type { Turn } from './turn.js';

/**
 * Takes back the lanes that go back: forward attempts are stopped first, then the planned compensation runs in its own order.
 * @returns whether all of them are taken back.
 */
export function walkBack(turn: Turn): boolean {
  const { saga, index } = turn;
  const lanes = [...index.lanes.keys()].filter((id) => saga.lanes[id] === 'back');
  for (const id of lanes)
    stopForward(
      turn,
      index.lane(id).lane.steps.map((step) => step.id),
    );
  const tiers = pendingTiers(turn);
  // later hops first: an earlier one's compensation waits for theirs
  for (let hop = index.plan.hops.length - 1; hop >= 0; hop -= 1) {
    const steps = (index.plan.hops[hop]?.compensation ?? []).filter(
      (step) => isNeeded(turn, step) && !ended(saga.steps[step.id]),
    );
    for (const step of steps) {
      if (isItsTurn(tiers, step) && isReady(turn, step, hop)) attempt(turn, step);
      if (saga.state === 'needs_attention') return false;
    }
  }
  let all = true;
  for (const id of lanes) {
    if (!isTakenBack(turn, id)) {
      all = false;
      continue;
    }
    saga.lanes[id] = 'taken_back';
    const { lane } = index.lane(id);
    turn.emit('lane-taken-back', { lane: id, instance: lane.instance, to: lane.from });
  }
  return all;
}

/** Attempts that are under way are called back; those that wait for another try are not made. */
export function stopForward(turn: Turn, stepIds: readonly string[]): void {
  for (const id of stepIds) {
    const progress = turn.saga.steps[id];
    if (progress === undefined) continue;
    if (progress.status === 'dispatched' || progress.unanswered === true) {
      turn.revoke(id, progress, 'back');
    } else if (progress.status === 'revoking') {
      progress.revokedFor = 'back';
    } else if (progress.status === 'waiting' || progress.status === 'ready') {
      progress.status = 'failed';
    }
  }
}

/**
 * Attempts that were called back for the way back, or to let go of a bracket, and whose service has said nothing: to ask again and again
 * tells nobody. A person decides; `retry` asks once more.
 * @returns whether there are any.
 */
export function attendToUnanswered(turn: Turn): boolean {
  const { saga, index } = turn;
  const silent = Object.keys(saga.steps).filter((id) => isUnansweredBack(saga.steps[id]));
  const first = silent[0];
  if (first === undefined) return false;
  const { title, target, app } = index.step(first).step;
  turn.callForAttention(
    silent,
    `${title} (${target.name}) was called back, and the service ${app} has not answered: it may still be at work there; see that ${app} runs and retry the step, which asks it once more, or see to it by hand and resolve the step`,
    saga.steps[first]?.error,
  );
  return true;
}

function attempt(turn: Turn, step: CompensationStep): void {
  const { saga } = turn;
  const progress = saga.steps[step.id];
  switch (progress?.status) {
    case undefined:
    case 'ready': {
      const stuck = step.lanes
        .map((lane) => failedAcquisition(turn, lane))
        .find((id) => id !== undefined);
      if (stuck !== undefined) {
        turn.callForAttention(
          [stuck],
          `${turn.index.step(stuck).step.title} failed`,
          saga.steps[stuck]?.error,
        );
      } else if (step.lanes.map((lane) => acquireBack(turn, lane)).every(Boolean)) {
        turn.dispatch(step.id, 'back');
      }
      return;
    }
    case 'failed':
    case 'in_doubt':
      turn.callForAttention(
        [step.id],
        `on the way back, ${step.title}: ${progress.error?.message ?? 'failed'}`,
        progress.error,
      );
      return;
    default:
  }
}

/** It serves a lane that goes back, and what it undoes has begun. */
function isNeeded(turn: Turn, step: CompensationStep): boolean {
  const { saga } = turn;
  const served = step.lanes.filter((id) => isGoingBack(turn, id));
  if (served.length === 0) return false;
  if (!step.when.some((id) => mayHaveBegun(saga.steps[id]))) return false;
  return !step.destinationOnly || !served.every((id) => goesFurther(turn, id));
}

function serves(turn: Turn, step: CompensationStep): boolean {
  return step.lanes.some((id) => isGoingBack(turn, id));
}

function isGoingBack(turn: Turn, lane: string): boolean {
  const status = turn.saga.lanes[lane];
  return status === 'back' || status === 'taken_back';
}

export function mayHaveBegun(progress: StepProgress | undefined): boolean {
  return (
    progress !== undefined &&
    (progress.began || inFlight(progress) || progress.status === 'in_doubt')
  );
}

/** An earlier hop of the same instance is taken back too. */
function goesFurther(turn: Turn, laneId: string): boolean {
  const { lane, hopNumber } = turn.index.lane(laneId);
  for (const [id, other] of turn.index.lanes) {
    if (other.lane.instance !== lane.instance || other.hopNumber >= hopNumber) continue;
    if (isGoingBack(turn, id)) return true;
  }
  return false;
}

/** Tiers in which something that goes back is still to be taken down, to get its data back, and to be brought up. */
interface PendingTiers {
  readonly highestDown: number;
  readonly lowestData: number;
  readonly lowestUp: number;
}

function pendingTiers(turn: Turn): PendingTiers {
  const { saga, index } = turn;
  let [highestDown, lowestData, lowestUp] = [-Infinity, Infinity, Infinity];
  for (const { step } of index.compensation.values()) {
    if (step.order === undefined || ended(saga.steps[step.id]) || !serves(turn, step)) continue;
    // whether it is needed is known only when what it undoes is at rest
    if (step.when.every((id) => isAtRest(saga.steps[id])) && !isNeeded(turn, step)) continue;
    const { tier, way } = step.order;
    if (way === 'down') highestDown = Math.max(highestDown, tier);
    else if (way === 'data') lowestData = Math.min(lowestData, tier);
    else lowestUp = Math.min(lowestUp, tier);
  }
  return { highestDown, lowestData, lowestUp };
}

/** What others depend on goes down after them, and comes up before them; what lies on a share comes back in between, all of it. */
function isItsTurn(pending: PendingTiers, { order }: CompensationStep): boolean {
  if (order === undefined) return true;
  switch (order.way) {
    case 'down':
      return order.tier >= pending.highestDown;
    case 'data':
      return pending.highestDown === -Infinity && order.tier <= pending.lowestData;
    case 'up':
      return pending.lowestData === Infinity && order.tier <= pending.lowestUp;
    default:
      return assertNever(order.way, 'way back');
  }
}

function isReady(turn: Turn, step: CompensationStep, hopNumber: number): boolean {
  const { saga, index } = turn;
  for (const id of step.lanes) {
    const { lane } = index.lane(id);
    if (lane.steps.some((forward) => !isAtRest(saga.steps[forward.id]))) return false;
  }
  for (const id of step.after) {
    const before = index.compensation.get(id)?.step;
    if (before === undefined || !serves(turn, before)) continue;
    // whether it is needed is known only when what it undoes is at rest
    if (before.when.some((forward) => !isAtRest(saga.steps[forward]))) return false;
    if (isNeeded(turn, before) && !ended(saga.steps[id])) return false;
  }
  return laterHopsAreBack(turn, step, hopNumber);
}

function laterHopsAreBack(turn: Turn, step: CompensationStep, hopNumber: number): boolean {
  const { saga, index } = turn;
  const instances = new Set(step.lanes.map((id) => index.lane(id).lane.instance));
  for (const { lane, hopNumber: hop } of index.lanes.values()) {
    if (hop <= hopNumber || !instances.has(lane.instance)) continue;
    // also what needs no compensation is still at work on the instance: a snapshot, a command
    if (lane.steps.some((forward) => !isAtRest(saga.steps[forward.id]))) return false;
  }
  for (const later of index.compensation.values()) {
    if (
      later.hopNumber <= hopNumber ||
      ended(saga.steps[later.step.id]) ||
      !serves(turn, later.step)
    )
      continue;
    if (!later.step.lanes.some((id) => instances.has(index.lane(id).lane.instance))) continue;
    if (later.step.when.some((id) => !isAtRest(saga.steps[id])) || isNeeded(turn, later.step))
      return false;
  }
  return true;
}

/** No attempt is under way, and none will be on the way back. */
export function isAtRest(progress: StepProgress | undefined): boolean {
  return !inFlight(progress) && progress?.unanswered !== true;
}

function isTakenBack(turn: Turn, laneId: string): boolean {
  const { saga, index } = turn;
  const { lane, hop } = index.lane(laneId);
  if (lane.steps.some((step) => !isAtRest(saga.steps[step.id]))) return false;
  return hop.compensation
    .filter((step) => step.lanes.includes(laneId) && isNeeded(turn, step))
    .every((step) => ended(saga.steps[step.id]));
}
