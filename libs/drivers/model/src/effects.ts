import type { ActionName } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError, type Clock } from '#kernel';
import { obeyControl, type Moment } from './control.js';
import type { WorldStore } from './world-store.js';
import type { Effect, LedgerLine, Mark, ModelWorld } from './world.js';

/** What a look at the world says. */
export type Decision<T> =
  /** The effect is there, or is not needed. */
  | { readonly done: T }
  /** It is to be made now. */
  | { readonly effect: Effect; readonly apply: (at: Date) => T }
  /** It must not be made: is recorded, and thrown. */
  | { readonly violation: string; readonly effect: Effect };

/** The only place that changes a model target: looks, makes the effect and writes its line in one atomic change. */
export class EffectWriter {
  constructor(
    readonly store: WorldStore,
    private readonly clock: Clock,
  ) {}

  obey(context: StepContext, action: ActionName, container: string, when: Moment): Promise<void> {
    const { stepId, token, signal } = context;
    return obeyControl(this.store, { action, container, stepId, token, signal }, when);
  }

  /**
   * @throws LiftlockError `internal` on a violation, which stands in the ledger then; whatever `guard` throws, with nothing
   * changed.
   */
  async make<T>(
    context: StepContext,
    container: string,
    look: (world: ModelWorld) => Decision<T>,
  ): Promise<T> {
    await context.guard();
    const outcome = await this.store.change((world): readonly [boolean, { value: T } | Error] => {
      context.signal.throwIfAborted();
      const key = `${context.upgrade} ${context.stepId}`;
      const seen = world.tokens[key] ?? 0;
      world.tokens[key] = Math.max(seen, context.token);
      const decision = look(world);
      if ('done' in decision) return [context.token > seen, { value: decision.done }];
      const at = this.clock.now();
      const line = {
        seq: world.ledger.length + 1,
        at: at.toISOString(),
        container,
        ...markOf(context),
        pid: process.pid,
      };
      const refuse = (violation: string): readonly [boolean, Error] => {
        world.ledger.push({ ...line, violation, tried: decision.effect });
        return [true, violationError(violation, container, context)];
      };
      if ('violation' in decision) return refuse(decision.violation);
      const broken = ruleBroken(world.ledger, decision.effect, container, context, seen);
      if (broken !== undefined) return refuse(broken);
      const value = decision.apply(at);
      world.ledger.push({ ...line, effect: decision.effect });
      return [true, { value }];
    });
    if (outcome instanceof Error) throw outcome;
    return outcome.value;
  }
}

export function markOf({ upgrade, stepId, token }: StepContext): Mark {
  return { upgrade, stepId, token };
}

function ruleBroken(
  ledger: readonly LedgerLine[],
  effect: Effect,
  container: string,
  context: StepContext,
  seen: number,
): string | undefined {
  if (context.token < seen) return `${effect} under token ${context.token} after ${seen} was seen`;
  // a snapshot reads: what was lost with its reader is read again; a bracket is let go of and held again
  if (effect === 'snapshot' || effect === 'file-written' || effect === 'file-removed')
    return undefined;
  const before = ledger.find(
    (line) =>
      'effect' in line &&
      line.effect === effect &&
      line.container === container &&
      line.upgrade === context.upgrade &&
      line.stepId === context.stepId,
  );
  return before === undefined ? undefined : `${effect} twice, first in line ${before.seq}`;
}

function violationError(violation: string, container: string, context: StepContext): LiftlockError {
  return new LiftlockError(
    'internal',
    `the model target saw a violation at ${container}, step ${context.stepId}: ${violation}`,
    { retryable: false },
  );
}
