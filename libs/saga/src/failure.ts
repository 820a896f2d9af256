import { assertNever, type ErrorShape } from '#kernel';
import type { Lane, Step } from '#contracts';
import { mayHaveBegun } from './back.js';
import type { Turn } from './turn.js';

/** A lane's step failed for good: how much goes back is the policy's. */
export function laneFailed(
  turn: Turn,
  lane: Lane,
  stepId: string,
  error: ErrorShape | undefined,
): void {
  const { saga, index } = turn;
  const { policy } = index.plan;
  const message = `${index.step(stepId).step.title}: ${error?.message ?? 'failed'}`;
  const goingBack = lanesInScope(turn, lane);
  const irreversible = begunIrreversible(turn, goingBack);
  if (irreversible !== undefined) {
    turn.callForAttention(
      [stepId],
      `${message}; ${irreversible} cannot be taken back: mend the cause and retry`,
      error,
    );
    return;
  }
  if (!saga.failures.includes(lane.instance)) saga.failures.push(lane.instance);
  turn.emit('lane-failed', { lane: lane.id, instance: lane.instance, step: stepId, error });
  saga.cause ??= { kind: 'failure', message, step: stepId };
  switch (policy.scope) {
    case 'upgrade':
      beginRollback(turn);
      return;
    case 'wave':
      saga.stopped = true;
      break;
    case 'instance':
      if (saga.failures.length > policy.maxFailures) saga.stopped = true;
      break;
    default:
      assertNever(policy.scope, 'scope');
  }
  const begun = begunLanes(turn);
  if (
    saga.stopped &&
    begun.every((id) => goingBack.includes(id) || saga.lanes[id] === 'taken_back')
  ) {
    beginRollback(turn);
    return;
  }
  for (const id of goingBack) saga.lanes[id] = 'back';
}

/** Everything that was begun goes back, as far as the policy says. */
export function beginRollback(turn: Turn, lanes: readonly string[] = lanesOfRollback(turn)): void {
  const { saga } = turn;
  saga.stopped = true;
  for (const id of lanes) if (saga.lanes[id] !== 'taken_back') saga.lanes[id] = 'back';
  saga.attention = [];
  delete saga.resumeTo;
  turn.moveTo('rolling_back', saga.cause === undefined ? {} : { message: saga.cause.message });
}

/** Lanes whose instance is, or may be, not as it was. */
export function begunLanes(turn: Turn): string[] {
  return [...turn.index.lanes.keys()].filter((id) => {
    const status = turn.saga.lanes[id];
    return (
      status === 'forward' || status === 'verified' || status === 'back' || status === 'taken_back'
    );
  });
}

/** All begun lanes; with several hops and `last_verified_hop`, those of the hop under way. */
export function lanesOfRollback(turn: Turn, to = turn.index.plan.policy.rollbackTo): string[] {
  const begun = begunLanes(turn).filter((id) => turn.saga.lanes[id] !== 'taken_back');
  if (to === 'origin') return begun;
  const last = Math.max(...begun.map((id) => turn.index.lane(id).hopNumber));
  return begun.filter(
    (id) => turn.index.lane(id).hopNumber === last || turn.saga.lanes[id] === 'back',
  );
}

function lanesInScope(turn: Turn, failed: Lane): string[] {
  const { policy } = turn.index.plan;
  const { wave, hopNumber } = turn.index.lane(failed.id);
  const candidates = lanesOfRollback(turn);
  switch (policy.scope) {
    case 'upgrade':
      return candidates;
    case 'wave': {
      const instances = wave.lanes.map((lane) => lane.instance);
      return candidates.filter((id) => {
        const placed = turn.index.lane(id);
        return instances.includes(placed.lane.instance) && placed.hopNumber <= hopNumber;
      });
    }
    case 'instance':
      return candidates.filter((id) => turn.index.lane(id).lane.instance === failed.instance);
    default:
      return assertNever(policy.scope, 'scope');
  }
}

/** Title of a step of these lanes, or of a hook of the whole application, that began and has no way back. */
export function begunIrreversible(turn: Turn, lanes: readonly string[]): string | undefined {
  const { before = [], after = [] } = turn.index.plan.applicationHooks ?? {};
  const begun = [before, after, ...lanes.map((id) => turn.index.lane(id).lane.steps)]
    .map((steps) => steps.find((step) => isBegunIrreversible(turn, step)))
    .find((step) => step !== undefined);
  return begun?.title;
}

function isBegunIrreversible(turn: Turn, step: Step): boolean {
  if (step.undo !== 'irreversible') return false;
  return mayHaveBegun(turn.saga.steps[step.id]);
}
