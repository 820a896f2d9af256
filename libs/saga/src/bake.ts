import { leftOutText, type Step } from '#contracts';
import { mayHaveBegun } from './back.js';
import { forget } from './brackets.js';
import { beginRollback, begunIrreversible, begunLanes } from './failure.js';
import { ended, inFlight } from './saga.js';
import { removalsForOthers } from './prepared-targets.js';
import type { Turn } from './turn.js';

/** All is verified: what was kept for the way back stays for a while, and the checks go on. */
export function beginBake(turn: Turn): void {
  const { saga, index } = turn;
  const { bakeSeconds } = index.plan.policy;
  saga.bake = { over: bakeSeconds === 0, round: 0, finalizing: false };
  turn.moveTo('baking', { seconds: bakeSeconds });
  if (bakeSeconds === 0) return;
  turn.setTimer(bakeSeconds * 1000, { type: 'bake-over' });
  setCheckTimer(turn, 1);
}

export function beginRound(turn: Turn, round: number): void {
  const { saga } = turn;
  if (
    saga.state !== 'baking' ||
    saga.bake === undefined ||
    saga.bake.over ||
    saga.bake.round >= round
  )
    return;
  saga.bake.round = round;
  for (const step of checksOfVerified(turn)) {
    forget(turn, step.id);
    turn.dispatch(step.id, 'bake');
  }
}

export function bake(turn: Turn): void {
  const { saga } = turn;
  if (saga.bake === undefined) return;
  if (saga.bake.finalizing) {
    finalize(turn);
    return;
  }
  const checks = checksOfVerified(turn).filter(
    (step) => saga.bake !== undefined && saga.bake.round > 0 && saga.steps[step.id] !== undefined,
  );
  const failed = checks.find((step) =>
    ['failed', 'in_doubt'].includes(saga.steps[step.id]?.status ?? ''),
  );
  if (failed !== undefined && takeBack(turn, failed)) return;
  let underWay = false;
  for (const step of checks) {
    const status = saga.steps[step.id]?.status;
    if (status === 'ready') turn.dispatch(step.id, 'bake');
    if (status === 'ready' || status === 'waiting' || inFlight(saga.steps[step.id]))
      underWay = true;
  }
  if (underWay) return;
  if (saga.bake.over) {
    saga.bake.finalizing = true;
    finalize(turn);
  }
}

/** When a round's last check has ended, the next is set. */
export function afterCheck(turn: Turn, stepId: string): void {
  const { saga, index } = turn;
  if (saga.state !== 'baking' || saga.bake === undefined || saga.bake.over) return;
  if (index.steps.get(stepId)?.direction !== 'bake') return;
  if (checksOfVerified(turn).every((step) => ended(saga.steps[step.id])))
    setCheckTimer(turn, saga.bake.round + 1);
}

function setCheckTimer(turn: Turn, round: number): void {
  turn.setTimer(turn.index.plan.policy.bakeCheckEverySeconds * 1000, {
    type: 'bake-check-due',
    round,
  });
}

function takeBack(turn: Turn, failed: Step): boolean {
  const { saga } = turn;
  const error = saga.steps[failed.id]?.error;
  const message = `while baking, ${failed.title}: ${error?.message ?? 'failed'}`;
  const irreversible = begunIrreversible(turn, begunLanes(turn));
  if (irreversible !== undefined) {
    turn.emit('upgrade-warning', {
      message: `${message}; ${irreversible} cannot be taken back`,
      step: failed.id,
      error,
    });
    forget(turn, failed.id);
    const progress = saga.steps[failed.id];
    if (progress !== undefined) progress.status = 'skipped';
    afterCheck(turn, failed.id);
    return false;
  }
  saga.cause = { kind: 'bake_check', message, step: failed.id };
  beginRollback(turn, begunLanes(turn));
  return true;
}

function finalize(turn: Turn): void {
  const { saga, index } = turn;
  if (!removeKept(turn)) return;
  const whole = [...index.lanes.keys()].every((id) => saga.lanes[id] === 'verified');
  const out = leftOutText(index.plan.changes);
  const said = [saga.cause?.message, out === undefined ? undefined : `left out: ${out}`];
  const message = said.filter((one) => one !== undefined).join('; ');
  turn.moveTo(whole ? 'succeeded' : 'partially_succeeded', message === '' ? {} : { message });
}

/**
 * What was kept for the way back of verified lanes is removed. What cannot be removed is named; the upgrade is none the worse for it.
 * @returns whether that is over.
 */
export function removeKept(turn: Turn): boolean {
  const { saga, index } = turn;
  const steps: Step[] = [
    ...index.plan.finalize.filter(
      ({ lane, when }) =>
        (lane === undefined || saga.lanes[lane] === 'verified') &&
        (when === undefined || when.some((id) => mayHaveBegun(saga.steps[id]))),
    ),
    ...removalsForOthers(turn),
  ];
  let all = true;
  for (const step of steps) {
    const progress = saga.steps[step.id];
    switch (progress?.status) {
      case undefined:
      case 'ready':
        turn.dispatch(step.id, 'finalize');
        all = false;
        break;
      case 'failed':
      case 'in_doubt':
        turn.emit('upgrade-warning', {
          message: `${step.title}: ${progress.error?.message ?? 'failed'}; it is left behind`,
          step: step.id,
          error: progress.error,
        });
        progress.status = 'skipped';
        break;
      case 'succeeded':
      case 'skipped':
        break;
      default:
        all = false;
    }
  }
  return all;
}

function checksOfVerified(turn: Turn): Step[] {
  const { saga, index } = turn;
  const verified = new Set(
    [...index.lanes.values()]
      .filter(({ lane }) => saga.lanes[lane.id] === 'verified')
      .map(({ lane }) => lane.instance),
  );
  const back = new Set(
    [...index.lanes.values()]
      .filter(({ lane }) => saga.lanes[lane.id] === 'taken_back')
      .map(({ lane }) => lane.instance),
  );
  return index.plan.bakeChecks.filter((step) => {
    const instance = `${step.component}@${step.target.name}`;
    return step.component === undefined || (verified.has(instance) && !back.has(instance));
  });
}
