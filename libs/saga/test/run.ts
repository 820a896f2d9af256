import type { Plan } from '#contracts';
import type { ErrorCode } from '#kernel';
import {
  advance,
  newSaga,
  type Advance,
  type Saga,
  type SagaCommand,
  type SagaEvent,
  type SagaMessage,
} from '#saga';

/** An upgrade in a test's hands: every message is the test's own. */
export class Run {
  saga: Saga = newSaga();
  readonly commands: SagaCommand[] = [];
  readonly events: SagaEvent[] = [];

  constructor(readonly plan: Plan) {
    this.tell({ type: 'planned' });
    if (this.saga.state === 'scheduled') this.tell({ type: 'admitted' });
  }

  tell(message: SagaMessage): Advance {
    const result = advance(this.saga, message, this.plan);
    this.saga = result.saga;
    this.commands.push(...result.commands);
    this.events.push(...result.events);
    return result;
  }

  token(stepId: string): number {
    return this.saga.steps[stepId]?.token ?? 0;
  }

  status(stepId: string): string {
    return this.saga.steps[stepId]?.status ?? 'never dispatched';
  }

  /** Steps with an attempt under way. */
  underWay(): string[] {
    return Object.keys(this.saga.steps).filter((id) =>
      ['dispatched', 'revoking'].includes(this.status(id)),
    );
  }

  succeed(stepId: string): void {
    this.tell({
      type: 'step-finished',
      stepId,
      token: this.token(stepId),
      result: { outcome: 'succeeded', output: {} },
    });
  }

  fail(
    stepId: string,
    effect: 'none' | 'possible' = 'possible',
    retryable = false,
    code: ErrorCode = 'check_failed',
  ): void {
    const error = { code, message: 'it did not work', retryable };
    this.tell({
      type: 'step-finished',
      stepId,
      token: this.token(stepId),
      result: { outcome: 'failed', error, effect },
    });
  }

  lose(stepId: string): void {
    const error = { code: 'lost', message: 'its process died', retryable: true } as const;
    this.tell({
      type: 'step-finished',
      stepId,
      token: this.token(stepId),
      result: { outcome: 'lost', error },
    });
  }

  /** Everything under way succeeds, until this step is dispatched, or until nothing moves. */
  until(stepId?: string): void {
    for (let turn = 0; turn < 1_000; turn += 1) {
      const next = this.underWay().find((id) => id !== stepId);
      if (stepId !== undefined && this.status(stepId) === 'dispatched') return;
      if (next === undefined) return;
      if (this.status(next) === 'revoking') {
        this.tell({
          type: 'step-finished',
          stepId: next,
          token: this.token(next),
          result: { outcome: 'revoked', began: true },
        });
      } else this.succeed(next);
    }
    throw new Error(`${stepId ?? 'the end'} was never reached`);
  }

  dispatched(): string[] {
    return this.commands.flatMap((command) =>
      command.type === 'run-step' ? [command.stepId] : [],
    );
  }
}
