import { isFinal, type Direction, type EventType, type UpgradeState } from '#contracts';
import type { ErrorShape } from '#kernel';
import type { SagaCommand, SagaEvent } from './commands.js';
import type { TimerMessage } from './messages.js';
import type { PlanIndex } from './plan-index.js';
import type { Saga, StepProgress } from './saga.js';
import { mayFollow } from './transitions.js';

/** Beyond the step's own timeout, which its service keeps: how long the coordinator waits for an answer before it calls back. */
const DEADLINE_GRACE_MS = 30_000;
/** How long a revocation may stay without an answer. Longer than any lease. */
const REVOKE_DEADLINE_MS = 120_000;

/** One message being handled: a copy of the saga that is written on, and what is to follow from it. */
export class Turn {
  readonly events: SagaEvent[] = [];
  readonly commands: SagaCommand[] = [];

  constructor(
    readonly saga: Saga,
    readonly index: PlanIndex,
  ) {}

  emit(type: EventType, data: Readonly<Record<string, unknown>> = {}): void {
    this.events.push({ type, data });
  }

  /** @throws Error when the table does not allow it: a defect, never a person's mistake. */
  moveTo(state: UpgradeState, because: Readonly<Record<string, unknown>> = {}): void {
    const from = this.saga.state;
    if (!mayFollow(from, state)) throw new Error(`no transition from ${from} to ${state}`);
    this.saga.state = state;
    this.emit('upgrade-state-changed', { from, to: state, ...because });
    if (state === 'needs_attention') {
      this.emit('upgrade-needs-attention', { steps: [...this.saga.attention], ...because });
    }
    if (isFinal(state)) {
      this.commands.push({ type: 'release-locks' });
      this.emit(`upgrade-${state.replaceAll('_', '-')}` as EventType, because);
    }
  }

  dispatch(stepId: string, direction: Direction): void {
    const before = this.saga.steps[stepId];
    const progress: StepProgress = {
      status: 'dispatched',
      direction,
      token: (before?.token ?? 0) + 1,
      attempt: (before?.attempt ?? 0) + 1,
      failures: before?.failures ?? 0,
      lost: before?.lost ?? 0,
      began: before?.began ?? false,
      ...(before?.queued === undefined ? {} : { queued: before.queued }),
    };
    this.saga.steps[stepId] = progress;
    const { step } = this.index.step(stepId);
    this.commands.push({
      type: 'run-step',
      stepId,
      token: progress.token,
      attempt: progress.attempt,
      direction,
    });
    this.setDeadline(stepId, progress);
    this.emit('step-dispatched', {
      step: stepId,
      title: step.title,
      action: step.action,
      direction,
      token: progress.token,
      attempt: progress.attempt,
    });
  }

  /** Calls an attempt back; its answer comes under a greater token, so that the old one's late result counts for nothing. */
  revoke(stepId: string, progress: StepProgress, what: 'retry' | 'back'): void {
    delete progress.unanswered;
    progress.status = 'revoking';
    progress.revokedFor = what;
    progress.token += 1;
    this.commands.push({
      type: 'revoke-step',
      stepId,
      token: progress.token,
      attempt: progress.attempt,
    });
    this.setTimer(REVOKE_DEADLINE_MS, { type: 'deadline', stepId, token: progress.token });
  }

  /** From now on the attempt has its time, anew where it had a deadline before. */
  setDeadline(stepId: string, { token }: StepProgress): void {
    const { timeoutSeconds } = this.index.step(stepId).step;
    const afterMs = timeoutSeconds * 1000 + DEADLINE_GRACE_MS;
    this.setTimer(afterMs, { type: 'deadline', stepId, token });
  }

  setTimer(afterMs: number, message: TimerMessage): void {
    this.commands.push({ type: 'set-timer', afterMs, message });
  }

  /** Stops for a person, with the steps that they must decide on. */
  callForAttention(stepIds: readonly string[], message: string, error?: ErrorShape): void {
    for (const id of stepIds) if (!this.saga.attention.includes(id)) this.saga.attention.push(id);
    if (this.saga.state === 'needs_attention') return;
    if (this.saga.state !== 'running' && this.saga.state !== 'rolling_back') {
      throw new Error(`${this.saga.state} cannot ask for attention`);
    }
    this.saga.resumeTo = this.saga.state;
    this.moveTo('needs_attention', { message, ...(error === undefined ? {} : { error }) });
  }

  /** Of these steps nothing is to be decided any more; when none is left, it goes on where it stopped. */
  attended(stepIds: readonly string[]): void {
    const { saga } = this;
    saga.attention = saga.attention.filter((id) => !stepIds.includes(id));
    if (saga.state !== 'needs_attention' || saga.attention.length > 0) return;
    const to = saga.resumeTo ?? 'running';
    delete saga.resumeTo;
    this.moveTo(to);
  }
}
