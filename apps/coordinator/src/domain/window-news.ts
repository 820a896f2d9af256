import type { Plan, UpgradeState } from '#contracts';
import type { Saga, SagaEvent, SagaMessage } from '#saga';
import { openingOf, type FreezesNow } from './plan-opening.js';

/** Where waves may be still to begin. */
const STATES: readonly UpgradeState[] = ['running', 'paused', 'needs_attention'];

/** Whether a plan's waves wait for its environment's windows also once it has begun. */
function staysUnderWindows(plan: Plan | undefined): plan is Plan {
  return plan?.startConditions?.whenClosed === 'pause';
}

/** Whether an upgrade stands under its environment's windows also while it runs. */
export function watchesWindow(saga: Saga, plan: Plan | undefined): plan is Plan {
  return staysUnderWindows(plan) && STATES.includes(saga.state);
}

/**
 * What the engine does not know yet of its window: asked before every message, so that nothing begins between the closing and its timer.
 * @param freezes that the environment's document has now; not there: nobody was asked, and `window-opened` is the plan's word alone.
 */
export function windowNews(
  saga: Saga,
  plan: Plan | undefined,
  now: Date,
  freezes?: FreezesNow,
): SagaMessage | undefined {
  if (!watchesWindow(saga, plan)) return undefined;
  const found = openingOf(plan, freezes, now);
  if (found.open) return saga.closed === undefined ? undefined : { type: 'window-opened' };
  const until = found.until.toISOString();
  return saga.closed?.until === until
    ? undefined
    : { type: 'window-closed', until, message: found.message };
}

/** Whether something began by this that a freeze would have held back: a wave, or the application's hooks before the first one. */
export function beganUnderWindows(plan: Plan | undefined, events: readonly SagaEvent[]): boolean {
  if (!staysUnderWindows(plan)) return false;
  const [first] = plan.applicationHooks?.before ?? [];
  return events.some(
    ({ type, data }) =>
      type === 'wave-started' || (type === 'step-dispatched' && data['step'] === first?.id),
  );
}
