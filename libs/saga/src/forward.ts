import type { Lane, Step, Wave } from '#contracts';
import { acquireForward, failedAcquisition, reopen } from './brackets.js';
import { laneFailed } from './failure.js';
import { removeKept } from './bake.js';
import { ended, inFlight } from './saga.js';
import type { Turn } from './turn.js';
import { holdsBack } from './windows.js';

/**
 * What comes before the first hop: nothing is touched yet, so that one failure ends the upgrade as `failed`.
 * @returns whether it is all done.
 */
export function prepare(turn: Turn): boolean {
  const { saga, index } = turn;
  const steps = index.plan.prepare;
  const failed = steps.find((step) =>
    ['failed', 'in_doubt'].includes(saga.steps[step.id]?.status ?? ''),
  );
  if (failed !== undefined) {
    if (steps.some((step) => inFlight(saga.steps[step.id]))) return false;
    // images were brought, perhaps, and others lost their names to them
    if (!removeKept(turn)) return false;
    const error = saga.steps[failed.id]?.error;
    if (error !== undefined) saga.error = error;
    turn.moveTo('failed', {
      message: `${failed.title}: ${error?.message ?? 'failed'}; nothing was changed`,
      error,
    });
    return false;
  }
  for (const step of steps) {
    const progress = saga.steps[step.id];
    if (progress !== undefined && progress.status !== 'ready') continue;
    const waits = (step.after ?? []).some((before) => !ended(saga.steps[before]));
    if (!waits) turn.dispatch(step.id, 'forward');
  }
  return steps.every((step) => ended(saga.steps[step.id]));
}

/**
 * Hop by hop, wave by wave; the next begins when the one before is settled.
 * @returns whether all waves are settled.
 */
export function walk(turn: Turn): boolean {
  const { saga, index } = turn;
  for (const hop of index.plan.hops) {
    for (const wave of hop.waves) {
      if (saga.stopped && !wave.lanes.some((lane) => isUnderWay(turn, lane.id))) continue;
      if (!hasBegun(turn, wave) && holdsBack(turn)) return false;
      announce(turn, hop.id, () =>
        turn.emit('hop-started', { hop: hop.id, from: hop.from, to: hop.to }),
      );
      announce(turn, wave.id, () =>
        turn.emit('wave-started', { wave: wave.id, lanes: wave.lanes.map((lane) => lane.id) }),
      );
      walkWave(turn, wave);
      if (saga.state !== 'running') return false;
      if (wave.lanes.some((lane) => !isSettled(turn, lane.id))) return false;
      if (wave.lanes.some((lane) => saga.lanes[lane.id] === 'verified')) {
        announce(turn, `${wave.id} verified`, () => turn.emit('wave-verified', { wave: wave.id }));
      }
    }
    if (!saga.stopped) {
      announce(turn, `${hop.id} verified`, () =>
        turn.emit('hop-verified', { hop: hop.id, to: hop.to }),
      );
    }
  }
  return true;
}

function walkWave(turn: Turn, wave: Wave): void {
  const { saga } = turn;
  // what failed is decided first, and then all is looked at anew: it may stop the rest, or hold it up while it goes back
  const stopped = wave.lanes.filter((lane) => isStopped(turn, lane));
  for (const lane of stopped) {
    if (saga.lanes[lane.id] === 'forward') walkLane(turn, lane);
    if (saga.state !== 'running') return;
  }
  if (stopped.length > 0) return;
  // what is under way goes on before anything new is begun
  for (const lane of wave.lanes) {
    if (saga.lanes[lane.id] === 'forward') walkLane(turn, lane);
    if (saga.state !== 'running') return;
  }
  let busy = wave.lanes.filter(
    (lane) => saga.lanes[lane.id] === 'forward' || saga.lanes[lane.id] === 'back',
  ).length;
  for (const lane of wave.lanes) {
    if ((saga.lanes[lane.id] ?? 'pending') !== 'pending') continue;
    if (saga.stopped || saga.failures.includes(lane.instance)) {
      saga.lanes[lane.id] = 'left_out';
      continue;
    }
    if (busy >= wave.parallelism) continue;
    busy += 1;
    saga.lanes[lane.id] = 'forward';
    turn.emit('lane-started', {
      lane: lane.id,
      instance: lane.instance,
      from: lane.from,
      to: lane.to,
    });
    walkLane(turn, lane);
    if (saga.state !== 'running') return;
  }
}

function hasBegun({ saga }: Turn, { lanes }: Wave): boolean {
  return lanes.some(({ id }) => (saga.lanes[id] ?? 'pending') !== 'pending');
}

function nextStep(turn: Turn, lane: Lane): Step | undefined {
  return lane.steps.find((step) => !ended(turn.saga.steps[step.id]));
}

function isStopped(turn: Turn, lane: Lane): boolean {
  if (turn.saga.lanes[lane.id] !== 'forward') return false;
  const next = nextStep(turn, lane);
  if (next === undefined) return false;
  const status = turn.saga.steps[next.id]?.status;
  return (
    status === 'failed' || status === 'in_doubt' || failedAcquisition(turn, lane.id) !== undefined
  );
}

function walkLane(turn: Turn, lane: Lane): void {
  const { saga } = turn;
  const next = nextStep(turn, lane);
  if (next === undefined) {
    saga.lanes[lane.id] = 'verified';
    turn.emit('lane-verified', { lane: lane.id, instance: lane.instance, to: lane.to });
    return;
  }
  const progress = saga.steps[next.id];
  switch (progress?.status) {
    case 'dispatched':
    case 'revoking':
    case 'waiting':
      return;
    case 'in_doubt':
      turn.callForAttention(
        [next.id],
        `${next.title}: it cannot be known whether it happened`,
        progress.error,
      );
      return;
    case 'failed':
      laneFailed(turn, lane, next.id, progress.error);
      return;
    default: {
      const bracket = failedAcquisition(turn, lane.id);
      if (bracket !== undefined) {
        const error = saga.steps[bracket]?.error;
        reopen(turn, bracket);
        laneFailed(turn, lane, bracket, error);
      } else if (acquireForward(turn, lane.id, next.id)) {
        turn.dispatch(next.id, 'forward');
      }
    }
  }
}

function isSettled(turn: Turn, lane: string): boolean {
  const status = turn.saga.lanes[lane];
  return status === 'verified' || status === 'taken_back' || status === 'left_out';
}

function isUnderWay(turn: Turn, lane: string): boolean {
  const status = turn.saga.lanes[lane];
  return status === 'forward' || status === 'back';
}

function announce(turn: Turn, key: string, tell: () => void): void {
  if (turn.saga.announced.includes(key)) return;
  turn.saga.announced.push(key);
  tell();
}
