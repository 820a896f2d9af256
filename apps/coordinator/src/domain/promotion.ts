import {
  isFinal,
  shapeDifferences,
  shapeOf,
  type Plan,
  type Promotion,
  type UpgradeState,
} from '#contracts';

export interface EarlierUpgrade {
  readonly id: string;
  readonly state: UpgradeState;
  readonly planDigest: string | undefined;
  readonly endedAt: Date | undefined;
}

/** What was found in the environment that a plan is promoted from. */
export interface Earlier {
  /** The last of the plan's shape that ended and had touched something. */
  readonly last: EarlierUpgrade | undefined;
  /** By which upgrade that was left again: towards a version that it had come from. */
  readonly wentBack?: EarlierUpgrade | undefined;
  /** Where there is none: the nearest to the same release, and its plan. */
  readonly nearest?: { readonly upgrade: EarlierUpgrade; readonly plan: Plan } | undefined;
}

export type PromotionNow =
  | { readonly outcome: 'holds'; readonly message: string }
  | { readonly outcome: 'waits'; readonly until: Date; readonly message: string }
  | { readonly outcome: 'missing'; readonly message: string };

const MOST_TOLD = 5;

/** The versions that a plan leads away from. */
export function versionsBehind({ hops }: Plan): string[] {
  return hops.map(({ from }) => from);
}

/** Whether a plan may go on to its environment by now; what is missing is said with the way out. */
export function promotionOf(
  plan: Plan,
  { from, soakSeconds = 0 }: Promotion,
  { last, wentBack, nearest }: Earlier,
  now: Date,
): PromotionNow {
  if (last?.state === 'succeeded' && wentBack === undefined) {
    const until = new Date((last.endedAt ?? now).getTime() + soakSeconds * 1_000);
    if (until <= now)
      return { outcome: 'holds', message: `the same succeeded in ${from} (${last.id})` };
    const message = `the same succeeded in ${from} (${last.id}), and has to prove itself there until ${until.toISOString()}`;
    return { outcome: 'waits', until, message };
  }
  const wanted = `${plan.environment} takes only what has succeeded in ${from} before`;
  const upgrade = `upgrade ${plan.application} in ${from} to ${plan.release} first`;
  return {
    outcome: 'missing',
    message: `${wanted}: ${whatIsMissing(plan, from, { last, wentBack, nearest })}; ${upgrade}`,
  };
}

function whatIsMissing(plan: Plan, from: string, { last, wentBack, nearest }: Earlier): string {
  if (last?.state === 'succeeded' && wentBack !== undefined)
    return `there the same succeeded (${last.id}), and ${wentBack.id} went back behind it`;
  if (last !== undefined)
    return `there the last upgrade that does the same, ${last.id}, is ${last.state}`;
  if (nearest === undefined)
    return `${plan.application} was never upgraded to ${plan.release} there`;
  const { id, state } = nearest.upgrade;
  if (!isFinal(state)) return `there ${id} is ${state}: wait for its end`;
  const told = shapeDifferences(shapeOf(plan), shapeOf(nearest.plan), from);
  if (told.length === 0) return `there ${id} is ${state}`;
  const more = told.length > MOST_TOLD ? `; and ${told.length - MOST_TOLD} more` : '';
  return `there ${id} (${state}) did something else: ${told.slice(0, MOST_TOLD).join('; ')}${more}`;
}
