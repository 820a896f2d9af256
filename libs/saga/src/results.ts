import { assertNever, type ErrorShape } from '#kernel';
import { ACTIONS, isActionName, type RetryPolicy, type StepResult } from '#contracts';
import type { SagaMessage } from './messages.js';
import type { Turn } from './turn.js';
import { isUnansweredBack, type StepProgress } from './saga.js';

/** Processes that may die under one step before a person is asked. */
const MAX_LOST = 10;
/**
 * Attempts of one step that may be called back out of their service's queue before it counts as failed: an hour and more for the
 * shortest steps, so that a queue that does not move is seen by a person in the end.
 */
const MAX_QUEUED = 50;

/** Records what became of an attempt. What is not about the present token is late, and changes nothing. */
export function recordResult(
  turn: Turn,
  message: Extract<SagaMessage, { type: 'step-finished' }>,
): void {
  const { stepId, token, result } = message;
  const progress = turn.saga.steps[stepId];
  if (progress === undefined || progress.token !== token) return;
  // also late: what was asked of a person is known then
  if (progress.status === 'revoking' || isUnansweredBack(progress)) {
    if (result.outcome === 'revoked') recordRevoked(turn, stepId, progress, result.began);
    return;
  }
  if (progress.status !== 'dispatched') return;
  const told = { step: stepId, token, attempt: progress.attempt, ...message.timing };
  recordOutcome(turn, stepId, progress, result, told);
}

function recordOutcome(
  turn: Turn,
  stepId: string,
  progress: StepProgress,
  result: StepResult,
  told: Readonly<Record<string, unknown>>,
): void {
  switch (result.outcome) {
    case 'succeeded':
      progress.status = 'succeeded';
      progress.began = true;
      delete progress.error;
      turn.emit('step-succeeded', { ...told, output: result.output });
      for (const message of warningsIn(result.output))
        turn.emit('upgrade-warning', { message, step: stepId });
      return;
    case 'failed':
      progress.began ||= result.effect === 'possible';
      recordFailure(turn, stepId, progress, result.error, told);
      return;
    case 'lost':
      recordLost(turn, stepId, progress, result.error, told);
      return;
    case 'revoked':
      // an answer to a revocation that this token never asked for: the attempt was stopped, so it is as good as lost
      recordLost(
        turn,
        stepId,
        progress,
        { code: 'revoked', message: 'the attempt was stopped', retryable: true },
        told,
      );
      return;
    default:
      assertNever(result, 'outcome');
  }
}

/** What may be of a moment (a port not let go of yet, a container just ending), though it ends a lane at once on the way out. */
const MAY_PASS: ReadonlySet<ErrorShape['code']> = new Set([
  'target_refused',
  'port_taken',
  'not_empty',
  'container_exited',
  'data_in_use',
]);

/** `MAY_PASS` of what writes all data anew at each attempt: only what is found before anything is written. */
const MAY_PASS_BEFORE_WRITING: ReadonlySet<ErrorShape['code']> = new Set(['data_in_use']);

/**
 * Whether an error that is final elsewhere may have gone at the next attempt. On the way out going back is the better answer; where the only
 * other answer is a person, or something left behind, it is tried as often as the step's retry allows.
 */
function mayPass(turn: Turn, stepId: string, code: ErrorShape['code']): boolean {
  const { step } = turn.index.step(stepId);
  const writesAnew = isActionName(step.action) && ACTIONS[step.action].writesAnew === true;
  const codes = writesAnew ? MAY_PASS_BEFORE_WRITING : MAY_PASS;
  return codes.has(code) && leadsNowhereElse(turn, stepId);
}

function leadsNowhereElse(turn: Turn, stepId: string): boolean {
  const { direction, bracket } = turn.index.step(stepId);
  switch (direction) {
    case 'back':
    case 'finalize':
      return true;
    case 'bracket':
      return isReleaseOrForBack(turn, stepId, bracket);
    case 'forward':
    case 'bake':
      return false;
    default:
      return assertNever(direction, 'direction');
  }
}

/** Letting go, or acquiring for lanes of which none goes forward. */
function isReleaseOrForBack(
  { saga, index }: Turn,
  stepId: string,
  id: string | undefined,
): boolean {
  const bracket = index.plan.brackets.find((one) => one.id === id);
  return (
    bracket?.release.id === stepId ||
    bracket?.lanes.every((lane) => saga.lanes[lane] !== 'forward') === true
  );
}

function recordFailure(
  turn: Turn,
  stepId: string,
  progress: StepProgress,
  error: ErrorShape,
  told: Readonly<Record<string, unknown>>,
): void {
  const { retry } = turn.index.step(stepId).step;
  const passes = error.retryable || mayPass(turn, stepId, error.code);
  progress.failures += 1;
  progress.error = error;
  if (!passes || progress.failures >= retry.maxAttempts) {
    progress.status = 'failed';
    turn.emit('step-failed', { ...told, error });
    return;
  }
  const afterMs = Math.max(backoffMs(retry, progress.failures), error.retryAfterMs ?? 0);
  progress.status = 'waiting';
  turn.setTimer(afterMs, { type: 'retry-due', stepId, token: progress.token });
  turn.emit('step-retrying', { ...told, error, afterMs });
}

/** Doubled with each failure, up to the bound. */
export function backoffMs(retry: RetryPolicy, failures: number): number {
  return Math.min(retry.backoffSeconds * 2 ** (failures - 1), retry.maxBackoffSeconds) * 1000;
}

function recordLost(
  turn: Turn,
  stepId: string,
  progress: StepProgress,
  error: ErrorShape,
  told: Readonly<Record<string, unknown>>,
): void {
  const { step } = turn.index.step(stepId);
  progress.began = true;
  progress.lost += 1;
  progress.error = error;
  if ((step.observable || step.repeatable) && progress.lost <= MAX_LOST) {
    progress.status = 'ready';
    turn.emit('step-retrying', { ...told, error, afterMs: 0 });
    return;
  }
  progress.status = 'in_doubt';
  turn.emit('step-in-doubt', { ...told, error });
}

function recordRevoked(turn: Turn, stepId: string, progress: StepProgress, began: boolean): void {
  progress.began ||= began;
  const { revokedFor } = progress;
  delete progress.revokedFor;
  delete progress.unanswered;
  const told = { step: stepId, token: progress.token, attempt: progress.attempt };
  if (revokedFor === 'back') {
    progress.status = 'failed';
    progress.error = {
      code: 'revoked',
      message: 'called back, since the upgrade goes back',
      retryable: false,
    };
    turn.emit('step-failed', { ...told, error: progress.error });
    turn.attended([stepId]);
    return;
  }
  const { step } = turn.index.step(stepId);
  const queued = (progress.queued ?? 0) + 1;
  if (!began && progress.started !== true && queued <= MAX_QUEUED) {
    progress.queued = queued;
    progress.status = 'ready';
    progress.error = {
      code: 'unavailable',
      message: `not begun in its time: it waits for a free place in the service ${step.app} (time ${queued} of ${MAX_QUEUED})`,
      retryable: true,
    };
    turn.emit('step-retrying', { ...told, error: progress.error, afterMs: 0 });
    return;
  }
  const error: ErrorShape = {
    code: 'timeout',
    message: `no answer within ${step.timeoutSeconds} s; the attempt was stopped`,
    retryable: true,
  };
  if (progress.began && !step.observable && !step.repeatable) {
    progress.status = 'in_doubt';
    progress.error = error;
    turn.emit('step-in-doubt', { ...told, error });
    return;
  }
  recordFailure(turn, stepId, progress, error, told);
}

/** An attempt's time is over without an answer: call it back; a revocation's is over: nobody knows, a person decides. */
export function recordDeadline(turn: Turn, stepId: string, token: number): void {
  const progress = turn.saga.steps[stepId];
  if (progress === undefined || progress.token !== token) return;
  if (progress.status === 'dispatched') {
    // whether it began is not known before its service has answered: it may be in a queue there
    turn.revoke(stepId, progress, 'retry');
  } else if (progress.status === 'revoking') {
    const { app } = turn.index.step(stepId).step;
    progress.status = 'in_doubt';
    progress.unanswered = true;
    progress.began = true;
    progress.error = {
      code: 'unavailable',
      message: `the service ${app} has not answered for this step; see that it runs, then retry the step`,
      retryable: true,
    };
    turn.emit('step-in-doubt', {
      step: stepId,
      token,
      attempt: progress.attempt,
      error: progress.error,
    });
  }
}

export function recordRetryDue(turn: Turn, stepId: string, token: number): void {
  const progress = turn.saga.steps[stepId];
  if (progress?.status === 'waiting' && progress.token === token) progress.status = 'ready';
}

export function recordStarted(
  turn: Turn,
  message: Extract<SagaMessage, { type: 'step-started' }>,
): void {
  const progress = turn.saga.steps[message.stepId];
  if (progress?.status !== 'dispatched' || progress.token !== message.token) return;
  // what it was in its service's queue is not the attempt's time
  progress.started = true;
  turn.setDeadline(message.stepId, progress);
  turn.emit('step-started', {
    step: message.stepId,
    token: message.token,
    attempt: progress.attempt,
    owner: message.owner,
  });
}

/** What a step has done well, and a person should know of all the same. */
function warningsIn({ warnings }: Readonly<Record<string, unknown>>): string[] {
  return Array.isArray(warnings) ? warnings.filter((one) => typeof one === 'string') : [];
}
