import { assertNever } from '#kernel';
import { openNow, type Freeze, type OpenNow, type Plan, type StartConditions } from '#contracts';

/** What an environment's document says now of its freezes: there may be some that were written after a plan. */
export type FreezesNow =
  | { readonly outcome: 'known'; readonly freezes: readonly Freeze[] }
  /** Nobody answered, and why. */
  | { readonly outcome: 'unknown'; readonly message: string };

/** Whether a plan's waves may begin at a moment. */
export type PlanOpening =
  | {
      readonly open: true;
      /** When to look again; not there: it stays so. */
      readonly lookAt?: Date;
    }
  | {
      readonly open: false;
      /** When it opens, as far as is known. */
      readonly until: Date;
      /** When to look again: no later than `until`, and sooner where the document may have changed by then. */
      readonly lookAt: Date;
      /** Until when it is shut, and why. */
      readonly message: string;
    };

/** Milliseconds after which it is asked again what nobody answered. */
export const ASK_AGAIN_MS = 5_000;
/** Milliseconds after which it is looked whether a freeze that is none of the plan's still stands in the document. */
export const LOOK_AGAIN_MS = 60_000;

/** An emergency waits for no freeze, if its plan says so: nor for one that was written since. */
export function skipsFreezes({ startConditions }: Plan): boolean {
  return startConditions?.emergency?.skips.includes('freezes') === true;
}

/**
 * By the plan's own windows and freezes, which stay whatever becomes of the document, and by those that the document has now.
 * @param freezes not there: nobody was asked, and the plan alone says.
 */
export function openingOf(plan: Plan, freezes: FreezesNow | undefined, now: Date): PlanOpening {
  const planned = openNow(plan.startConditions, now);
  if (freezes === undefined || skipsFreezes(plan)) return said(planned);
  switch (freezes.outcome) {
    case 'unknown': {
      // what the plan shuts is shut whatever the document says
      if (!planned.open) return said(planned);
      const until = new Date(now.getTime() + ASK_AGAIN_MS);
      const message = `whether ${plan.environment} is frozen is not known: ${freezes.message}`;
      return { open: false, until, lookAt: until, message };
    }
    case 'known': {
      const found = openNow(withFreezes(plan.startConditions, freezes.freezes), now);
      const lookAt = planned.open ? new Date(now.getTime() + LOOK_AGAIN_MS) : planned.until;
      return found.open ? said(found) : said(found, lookAt);
    }
    default:
      return assertNever(freezes, 'freezes');
  }
}

/** Of those that are the same, name and times, the plan's. */
function withFreezes(
  conditions: StartConditions | undefined,
  written: readonly Freeze[],
): Pick<StartConditions, 'windows' | 'freezes'> {
  const planned = conditions?.freezes ?? [];
  const later = written.filter(
    ({ name, from, to }) =>
      !planned.some((one) => one.name === name && one.from === from && one.to === to),
  );
  return { windows: conditions?.windows, freezes: [...planned, ...later] };
}

function said(found: OpenNow, lookAt?: Date): PlanOpening {
  if (found.open)
    return { open: true, ...(found.until === undefined ? {} : { lookAt: found.until }) };
  const { until, untilText, because } = found;
  return {
    open: false,
    until,
    lookAt: lookAt !== undefined && lookAt < until ? lookAt : until,
    message: `${because} until ${untilText}`,
  };
}
