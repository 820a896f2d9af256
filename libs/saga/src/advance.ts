import { isFinal, type Bracket, type Plan } from '#contracts';
import { assertNever } from '#kernel';
import { attendToUnanswered, isAtRest, stopForward, walkBack } from './back.js';
import {
  closeApplication,
  openApplication,
  reopenApplication,
  settleApplication,
} from './application-hooks.js';
import { approvalsOf } from './approvals.js';
import { afterCheck, bake, beginBake, beginRound, removeKept } from './bake.js';
import { failedReleases, noteReleased, release } from './brackets.js';
import type { SagaCommand, SagaEvent } from './commands.js';
import type { Refusal } from './refusal.js';
import { decide } from './decisions.js';
import { beginRollback } from './failure.js';
import { prepare, walk } from './forward.js';
import type { SagaMessage } from './messages.js';
import { PlanIndex } from './plan-index.js';
import { recordDeadline, recordResult, recordRetryDue, recordStarted } from './results.js';
import { inFlight, type Saga } from './saga.js';
import { Turn } from './turn.js';
import { close, goOn, open, postpone } from './windows.js';

export interface Advance {
  readonly saga: Saga;
  readonly events: readonly SagaEvent[];
  readonly commands: readonly SagaCommand[];
  /** The message asked for what cannot be done now; then nothing has changed. */
  readonly refused?: Refusal;
}

/** Rounds of looking at one saga before it counts as a defect of the engine. */
const MAX_ROUNDS = 10_000;

/**
 * The engine: what follows from a message. A pure function of its arguments, without clock, I/O or randomness; the saga given is
 * not changed. A late or repeated message changes nothing; a final state absorbs everything.
 * @param plan needed for every message but `plan-refused` and decisions before planning.
 */
export function advance(saga: Saga, message: SagaMessage, plan: Plan | undefined): Advance {
  const turn = new Turn(structuredClone(saga), plan === undefined ? NO_PLAN : PlanIndex.of(plan));
  if (isFinal(saga.state)) {
    const refused = isDecision(message) ? decide(turn, message) : undefined;
    return { saga, events: [], commands: [], ...(refused === undefined ? {} : { refused }) };
  }
  const refused = record(turn, message);
  if (refused !== undefined) return { saga, events: [], commands: [], refused };
  follow(turn);
  return { saga: turn.saga, events: turn.events, commands: turn.commands };
}

function isDecision(message: SagaMessage): message is Extract<SagaMessage, { actor: string }> {
  return 'actor' in message;
}

/** Takes note of the message; what follows from the new state comes afterwards. */
function record(turn: Turn, message: SagaMessage): Refusal | undefined {
  if (isDecision(message)) return decide(turn, message);
  const { saga } = turn;
  switch (message.type) {
    case 'planned':
      if (saga.state === 'planning') planned(turn);
      return undefined;
    case 'plan-refused':
      if (saga.state === 'planning') fail(turn, message.error);
      return undefined;
    case 'admitted':
      if (saga.state === 'scheduled') goOn(turn);
      return undefined;
    case 'admission-refused':
      if (saga.state === 'scheduled') fail(turn, message.error);
      return undefined;
    case 'admission-postponed':
      if (saga.state === 'scheduled') postpone(turn, message);
      return undefined;
    case 'window-closed':
      close(turn, message);
      return undefined;
    case 'window-opened':
      open(turn);
      return undefined;
    case 'step-started':
      recordStarted(turn, message);
      return undefined;
    case 'step-finished':
      recordResult(turn, message);
      afterCheck(turn, message.stepId);
      return undefined;
    case 'retry-due':
      recordRetryDue(turn, message.stepId, message.token);
      return undefined;
    case 'deadline':
      recordDeadline(turn, message.stepId, message.token);
      return undefined;
    case 'bake-check-due':
      beginRound(turn, message.round);
      return undefined;
    case 'bake-over':
      if (saga.bake !== undefined) saga.bake.over = true;
      return undefined;
    default:
      return assertNever(message, 'message');
  }
}

function planned(turn: Turn): void {
  const { plan } = turn.index;
  turn.emit('upgrade-planned', {
    from: plan.from,
    to: plan.to,
    changes: plan.changes,
    warnings: plan.warnings,
  });
  if (approvalsOf(plan) !== undefined) {
    turn.moveTo('awaiting_approval');
  } else {
    turn.moveTo('scheduled');
    turn.commands.push({ type: 'admit' });
  }
}

function fail(turn: Turn, error: NonNullable<Saga['error']>): void {
  turn.saga.error = error;
  turn.moveTo('failed', { message: error.message, error });
}

/** Looks at the saga until nothing more follows. */
function follow(turn: Turn): void {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const before = turn.events.length + turn.commands.length;
    const { state } = turn.saga;
    look(turn);
    if (turn.events.length + turn.commands.length === before && turn.saga.state === state) return;
  }
  throw new Error(`the saga does not come to rest in ${turn.saga.state}`);
}

function look(turn: Turn): void {
  const { saga } = turn;
  if (isFinal(saga.state)) return;
  noteReleased(turn);
  switch (saga.state) {
    case 'running':
      if (!attendToUnanswered(turn)) goForward(turn);
      return;
    case 'rolling_back':
      if (!attendToUnanswered(turn)) goBack(turn);
      return;
    case 'needs_attention':
      attendToUnanswered(turn);
      attendToReleases(turn);
      release(turn, (bracket) => isQuiet(turn, bracket));
      return;
    case 'paused':
      release(turn, (bracket) => isQuiet(turn, bracket));
      return;
    case 'baking':
      bake(turn);
      return;
    default:
  }
}

function goForward(turn: Turn): void {
  const { saga } = turn;
  if (!prepare(turn)) return;
  if (!openApplication(turn)) return;
  walkBack(turn);
  if (saga.state !== 'running') return;
  const settled = walk(turn);
  if (saga.state !== 'running') return;
  const free = release(turn, (bracket) => bracket.lanes.every((lane) => isOver(turn, lane)));
  if (attendToReleases(turn) || !settled || !free) return;
  if (Object.values(saga.lanes).includes('verified')) {
    if (closeApplication(turn)) beginBake(turn);
    return;
  }
  // nothing new is left: what went back one by one ends as a whole
  beginRollback(turn);
}

function goBack(turn: Turn): void {
  const { saga, index } = turn;
  const aside = [...index.plan.prepare, ...index.plan.bakeChecks].map((step) => step.id);
  stopForward(turn, aside);
  // a check may start again what its engine took down: never beside the way back
  const checking = index.plan.bakeChecks.some(({ id }) => !isAtRest(saga.steps[id]));
  if (checking) return;
  if (!reopenApplication(turn)) return;
  const back = walkBack(turn);
  if (saga.state !== 'rolling_back') return;
  const free = back && release(turn, () => true);
  // also before all is back: the way back itself may wait for a bracket that could not be let go of
  if (attendToReleases(turn) || !free) return;
  if (aside.some((id) => inFlight(saga.steps[id]) || saga.steps[id]?.unanswered === true)) return;
  if (!settleApplication(turn)) return;
  // back to the last verified hop: what the hops before it kept would stand in the way of the next upgrade
  if (!removeKept(turn)) return;
  turn.moveTo('rolled_back', saga.cause === undefined ? {} : { message: saga.cause.message });
}

function attendToReleases(turn: Turn): boolean {
  const stuck = failedReleases(turn);
  const first = stuck[0];
  if (first === undefined) return false;
  const { step } = turn.index.step(first);
  const error = turn.saga.steps[first]?.error;
  turn.callForAttention(stuck, `${step.title}: ${error?.message ?? 'failed'}`, error);
  return true;
}

function isOver(turn: Turn, lane: string): boolean {
  const status = turn.saga.lanes[lane] ?? 'pending';
  if (status === 'pending') return turn.saga.stopped;
  return status === 'verified' || status === 'taken_back' || status === 'left_out';
}

/** None of the bracket's lanes has an attempt under way. */
function isQuiet(turn: Turn, bracket: Bracket): boolean {
  const { saga, index } = turn;
  const forward = bracket.lanes.flatMap((id) => index.lane(id).lane.steps);
  const back = [...index.compensation.values()]
    .map(({ step }) => step)
    .filter((step) => step.lanes.some((lane) => bracket.lanes.includes(lane)));
  return ![...forward, ...back].some((step) => inFlight(saga.steps[step.id]));
}

/** Stands in before there is a plan: nothing can be looked up in it. */
const NO_PLAN = PlanIndex.of({
  apiVersion: 'liftlock.dev/v1',
  kind: 'Plan',
  environment: 'none',
  application: 'none',
  release: 'none',
  from: '',
  to: '',
  policy: {
    scope: 'upgrade',
    maxFailures: 0,
    rollbackTo: 'origin',
    approval: 'none',
    bakeSeconds: 0,
    bakeCheckEverySeconds: 1,
  },
  documents: [],
  targets: [],
  observed: [],
  changes: [],
  warnings: [],
  prepare: [],
  hops: [],
  brackets: [],
  bakeChecks: [],
  finalize: [],
});
