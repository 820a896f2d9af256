import { Temporal } from 'temporal-polyfill';
import type { StartConditions } from './start-conditions.js';
import { instantOf, openingsAfter, type Opening } from './windows.js';

/** Openings that are looked at one behind the other, before it is looked again. */
const MAX_STEPS = 400;
/** Where none was found: when it is looked again. */
const LOOK_AGAIN_HOURS = 24;

/** Whether waves may begin at a moment, by windows and freezes, and until when that holds. */
export type OpenNow =
  | { readonly open: true; /** Not there: for ever. */ readonly until?: Date }
  | {
      readonly open: false;
      /** When it opens, or when to look again where no opening was found. */
      readonly until: Date;
      /** `Sat 2026-11-28 22:00 Europe/Berlin`, or that no opening was found. */
      readonly untilText: string;
      /** What keeps it shut: `outside of its maintenance windows`, `frozen (year-end): stocktaking`. */
      readonly because: string;
    };

type Conditions = Pick<StartConditions, 'windows' | 'freezes'>;

/** A freeze beats a window. Without windows it is open whenever nothing is frozen. */
export function openNow(conditions: Conditions | undefined, now: Date): OpenNow {
  const { windows = [], freezes = [] } = conditions ?? {};
  const start = Temporal.Instant.fromEpochMilliseconds(now.getTime());
  const frozen = (at: Temporal.Instant) =>
    freezes.find(({ from, to }) => !before(at, instantOf(from)) && before(at, instantOf(to)));
  const opened = (at: Temporal.Instant) => soonest(conditions, at);
  const isOpen = (at: Temporal.Instant): boolean => {
    if (frozen(at) !== undefined) return false;
    const next = opened(at);
    return windows.length === 0 || (next !== undefined && !before(at, next.from.toInstant()));
  };

  let at = start;
  if (isOpen(start)) {
    const ice = freezes
      .map(({ from }) => instantOf(from))
      .filter((from) => before(start, from))
      .toSorted((a, b) => Temporal.Instant.compare(a, b))[0];
    if (windows.length === 0)
      return { open: true, ...(ice === undefined ? {} : { until: dateOf(ice) }) };
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const next = opened(at);
      if (next === undefined || before(at, next.from.toInstant())) break;
      at = next.to.toInstant();
    }
    return { open: true, until: dateOf(ice !== undefined && before(ice, at) ? ice : at) };
  }

  let zone = windows[0]?.timeZone ?? 'UTC';
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const ice = frozen(at);
    if (ice !== undefined) {
      at = instantOf(ice.to);
      continue;
    }
    const next = opened(at);
    if (next !== undefined) zone = next.window.timeZone;
    if (next === undefined || !before(at, next.from.toInstant())) break;
    at = next.from.toInstant();
  }
  const ice = frozen(start);
  const opens = isOpen(at);
  return {
    open: false,
    until: dateOf(opens ? at : start.add({ hours: LOOK_AGAIN_HOURS })),
    untilText: opens ? momentText(at, zone) : 'an opening that cannot be foreseen',
    because:
      ice === undefined
        ? 'outside of its maintenance windows'
        : `frozen (${ice.name}): ${ice.reason}`,
  };
}

/** The opening, of all windows, that is open at an instant, or opens next. */
function soonest({ windows = [] }: Conditions = {}, at: Temporal.Instant): Opening | undefined {
  return windows
    .flatMap((window) => openingsAfter(window, at).next().value ?? [])
    .toSorted((a, b) => Temporal.ZonedDateTime.compare(a.from, b.from))[0];
}

function before(a: Temporal.Instant, b: Temporal.Instant): boolean {
  return Temporal.Instant.compare(a, b) < 0;
}

function dateOf(instant: Temporal.Instant): Date {
  return new Date(instant.epochMilliseconds);
}

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

function momentText(instant: Temporal.Instant, zone: string): string {
  const at = instant.toZonedDateTimeISO(zone);
  const time = at.toPlainTime().toString({ smallestUnit: 'minute' });
  return `${WEEKDAYS[at.dayOfWeek - 1] ?? ''} ${at.toPlainDate().toString()} ${time} ${zone}`;
}
