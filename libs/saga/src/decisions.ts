import { assertNever } from '#kernel';
import { approve } from './approvals.js';
import { forget, reopen } from './brackets.js';
import { beginRollback, begunIrreversible, begunLanes, lanesOfRollback } from './failure.js';
import type { DecisionType, SagaMessage } from './messages.js';
import type { Refusal } from './refusal.js';
import type { Turn } from './turn.js';
import { goOn as goOnRunning, pauseByHand } from './windows.js';

type Decision = Extract<SagaMessage, { type: DecisionType }>;

const conflict = (message: string): Refusal => ({ code: 'conflict', message });

/** @returns a refusal, and then nothing has changed; or nothing. */
export function decide(turn: Turn, decision: Decision): Refusal | undefined {
  const refusal = apply(turn, decision);
  if (refusal !== undefined) return refusal;
  turn.emit('upgrade-decision', {
    decision: decision.type,
    actor: decision.actor,
    ...(decision.reason === undefined ? {} : { reason: decision.reason }),
    ...('step' in decision && decision.step !== undefined ? { step: decision.step } : {}),
  });
  return undefined;
}

function apply(turn: Turn, decision: Decision): Refusal | undefined {
  switch (decision.type) {
    case 'approve':
      return approve(turn, decision);
    case 'reject':
      return reject(turn, decision);
    case 'cancel':
      return cancel(turn, decision);
    case 'pause':
      return pauseByHand(turn, decision.actor);
    case 'resume':
      return resume(turn, decision);
    case 'rollback':
      return rollback(turn, decision);
    case 'retry':
      return retry(turn, decision);
    case 'skip':
    case 'resolve':
      return settle(turn, decision);
    default:
      return assertNever(decision, 'decision');
  }
}

function reject(turn: Turn, decision: Decision): Refusal | undefined {
  if (turn.saga.state !== 'awaiting_approval')
    return conflict(`it does not wait for approval; it is ${turn.saga.state}`);
  turn.moveTo('rejected', { message: decision.reason ?? `rejected by ${decision.actor}` });
  return undefined;
}

function cancel(turn: Turn, decision: Decision): Refusal | undefined {
  const { saga } = turn;
  switch (saga.state) {
    case 'planning':
    case 'awaiting_approval':
    case 'scheduled':
      turn.moveTo('cancelled', { message: decision.reason ?? `cancelled by ${decision.actor}` });
      return undefined;
    case 'running':
    case 'paused':
      return goBack(turn, 'cancelled', decision);
    case 'baking':
      return conflict('all is verified already: roll it back instead (rollback), or let it end');
    case 'rolling_back':
      return conflict('it goes back already');
    case 'needs_attention':
      return conflict(
        'it waits for a person: roll it back instead (rollback), or retry, skip or resolve',
      );
    default:
      return conflict(`it has ended: ${saga.state}`);
  }
}

function resume(turn: Turn, decision: Decision): Refusal | undefined {
  const { state } = turn.saga;
  if (state === 'needs_attention')
    return conflict('it waits for a person: retry, skip, resolve or rollback');
  if (state !== 'paused') return conflict(`only a paused upgrade can be resumed; it is ${state}`);
  if (turn.saga.pausedBy === 'window' && turn.saga.closed !== undefined)
    return conflict(
      `${turn.saga.closed.message}; it goes on by itself: cancel or roll it back instead`,
    );
  goOnRunning(turn, decision.actor);
  return undefined;
}

function rollback(turn: Turn, decision: Decision): Refusal | undefined {
  const { saga } = turn;
  switch (saga.state) {
    case 'running':
    case 'paused':
      return goBack(turn, 'by_hand', decision);
    case 'baking':
      if (saga.bake?.finalizing === true) {
        return conflict(
          'the bake is over and what was kept for the way back is being removed: post a new upgrade that leads down',
        );
      }
      return goBack(turn, 'by_hand', decision, begunLanes(turn));
    case 'needs_attention':
      if (saga.resumeTo === 'rolling_back') {
        return conflict(
          'it was on its way back already: retry, skip or resolve the steps that stopped it',
        );
      }
      return goBack(turn, 'by_hand', decision);
    case 'rolling_back':
      return conflict('it goes back already');
    case 'planning':
    case 'awaiting_approval':
    case 'scheduled':
      return conflict(`nothing was touched yet (${saga.state}): cancel it instead`);
    default:
      return conflict(
        `it has ended (${saga.state}): post a new upgrade that leads to the version wanted`,
      );
  }
}

function goBack(
  turn: Turn,
  kind: 'cancelled' | 'by_hand',
  decision: Decision,
  lanes = lanesOfRollback(turn),
): Refusal | undefined {
  const { saga, index } = turn;
  const irreversible = begunIrreversible(turn, lanes);
  if (irreversible !== undefined)
    return conflict(`${irreversible} was begun and cannot be taken back: it can only go forward`);
  // what stopped the way back before is tried again: the person has decided for it
  for (const [id, progress] of Object.entries(saga.steps)) {
    if (
      index.steps.get(id)?.direction === 'back' &&
      (progress.status === 'failed' || progress.status === 'in_doubt')
    )
      forget(turn, id);
    // and who did not answer is asked once more
    else if (progress.unanswered === true) delete progress.revokedFor;
  }
  const word = kind === 'cancelled' ? 'cancelled' : 'rolled back';
  saga.cause = { kind, message: decision.reason ?? `${word} by ${decision.actor}` };
  beginRollback(turn, lanes);
  return undefined;
}

function retry(turn: Turn, decision: Extract<Decision, { type: 'retry' }>): Refusal | undefined {
  const { saga } = turn;
  if (saga.state !== 'needs_attention')
    return conflict(`nothing waits for a person; it is ${saga.state}`);
  if (decision.step !== undefined && !saga.attention.includes(decision.step))
    return notWaiting(turn, decision.step);
  const steps = decision.step === undefined ? [...saga.attention] : [decision.step];
  for (const id of steps) reopen(turn, id);
  turn.attended(steps);
  return undefined;
}

function settle(
  turn: Turn,
  decision: Extract<Decision, { type: 'skip' | 'resolve' }>,
): Refusal | undefined {
  const { saga } = turn;
  if (saga.state !== 'needs_attention')
    return conflict(`nothing waits for a person; it is ${saga.state}`);
  if (decision.reason === undefined)
    return { code: 'invalid_request', message: 'a reason is needed: it goes into the history' };
  const step = decision.step ?? (saga.attention.length === 1 ? saga.attention[0] : undefined);
  if (step === undefined) {
    return {
      code: 'invalid_request',
      message: `several steps wait; name one: ${saga.attention.join(', ')}`,
    };
  }
  const progress = saga.steps[step];
  if (!saga.attention.includes(step) || progress === undefined) return notWaiting(turn, step);
  if (decision.type === 'resolve' && decision.outcome === undefined) {
    return { code: 'invalid_request', message: 'an outcome is needed: succeeded or failed' };
  }
  delete progress.unanswered;
  delete progress.revokedFor;
  if (decision.type === 'skip') {
    progress.status = 'skipped';
    turn.emit('step-skipped', { step, actor: decision.actor, reason: decision.reason });
  } else {
    progress.status = decision.outcome === 'succeeded' ? 'succeeded' : 'failed';
    turn.emit('step-resolved', {
      step,
      outcome: decision.outcome,
      actor: decision.actor,
      reason: decision.reason,
    });
  }
  turn.attended([step]);
  return undefined;
}

function notWaiting(turn: Turn, step: string): Refusal {
  return conflict(
    `step ${step} does not wait for a person; these do: ${turn.saga.attention.join(', ') || 'none'}`,
  );
}
