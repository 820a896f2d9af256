import { RRuleTemporal } from 'rrule-temporal';
import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';
import { name } from '../names.js';

/** Parts of a recurrence rule (RFC 5545, 3.3.10) that say on which days a window begins; its time of day is `start`. */
const RULE_PARTS = ['FREQ', 'INTERVAL', 'BYDAY', 'BYMONTHDAY', 'BYMONTH', 'BYSETPOS', 'WKST'];
const FREQUENCIES = ['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'];
/** A Monday: what rules without an interval are counted from. */
const ANCHOR = '2024-01-01';
const MAX_DAYS = 31;
/** Days, weeks, months or years without a window, before there is none: a 29th of February may be eight years away. */
const MAX_PERIODS = 3_000;

/** An instant with its zone: RFC 3339 with an offset, or RFC 9557 with a name (`2026-12-20T00:00[Europe/Berlin]`). */
export function instantOf(text: string): Temporal.Instant {
  return text.includes('[')
    ? Temporal.ZonedDateTime.from(text).toInstant()
    : Temporal.Instant.from(text);
}

function holds(look: () => unknown): boolean {
  try {
    return look() !== false;
  } catch {
    return false;
  }
}

const zonedTime = z
  .string()
  .refine(
    (text) => holds(() => instantOf(text)),
    'must be a time with its zone: 2026-12-20T00:00:00+01:00 or 2026-12-20T00:00[Europe/Berlin]',
  );

export const maintenanceWindow = z
  .strictObject({
    name,
    /** The days on which it begins: RFC 5545, such as `FREQ=WEEKLY;BYDAY=SA,SU`. */
    rrule: z.string().superRefine((rule, context) => {
      const message = problemOfRule(rule);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    }),
    /** When on those days, in its time zone. Where the clock jumps over it, as much later as it jumps. */
    start: z
      .string()
      .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day from 00:00 to 23:59'),
    /** ISO 8601 with days, hours and minutes, at most 31 days: hours are hours that pass, whatever a clock shows meanwhile. */
    duration: z
      .string()
      .refine(
        (text) => holds(() => isDuration(text)),
        'must be a duration of at most 31 days, such as PT6H or P1DT12H',
      ),
    /** IANA name, such as `Europe/Berlin`. */
    timeZone: z
      .string()
      .refine(
        (zone) => /^[A-Za-z]/.test(zone) && holds(() => startOn(ANCHOR, '12:00', zone)),
        'must be the name of a time zone, such as Europe/Berlin or UTC',
      ),
    /** A day that `INTERVAL` is counted from; needed with it. */
    since: z.iso.date().optional(),
  })
  .superRefine(({ rrule, since }, context) => {
    if (/INTERVAL=(?!1(;|$))/i.test(rrule) && since === undefined)
      context.addIssue({
        code: 'custom',
        path: ['since'],
        message: 'is needed with INTERVAL: a day that is counted from',
      });
  });
export type MaintenanceWindow = z.infer<typeof maintenanceWindow>;

export const freeze = z
  .strictObject({
    name,
    from: zonedTime,
    /** No longer part of it. */
    to: zonedTime,
    reason: z.string().min(1).max(500),
  })
  .superRefine(({ from, to }, context) => {
    if (holds(() => Temporal.Instant.compare(instantOf(from), instantOf(to)) >= 0))
      context.addIssue({ code: 'custom', path: ['to'], message: 'must be after from' });
  });
export type Freeze = z.infer<typeof freeze>;

function isDuration(text: string): boolean {
  const length = Temporal.Duration.from(text);
  if (length.sign !== 1 || length.years > 0 || length.months > 0) return false;
  return length.total({ unit: 'days', relativeTo: ANCHOR }) <= MAX_DAYS;
}

function problemOfRule(rule: string): string | undefined {
  for (const part of rule.split(';')) {
    const [key = '', value = ''] = part.split('=');
    if (!RULE_PARTS.includes(key))
      return `${key === '' ? 'it' : key} says no day: it may have ${RULE_PARTS.join(', ')}`;
    if (key === 'FREQ' && !FREQUENCIES.includes(value))
      return `FREQ must be one of ${FREQUENCIES.join(', ')}`;
  }
  try {
    return ruleOf(rule, ANCHOR).next(new Date(`${ANCHOR}T00:00:00Z`)) === null
      ? 'there is no such day'
      : undefined;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return /Maximum iterations/.test(text) ? 'there is no such day' : text;
  }
}

/** Days as noons in UTC: no clock jumps there, so that none is left out. */
function ruleOf(rule: string, since: string): RRuleTemporal {
  const start = `${since.replaceAll('-', '')}T120000Z`;
  return new RRuleTemporal({
    rruleString: `DTSTART:${start}\nRRULE:${rule}`,
    strict: true,
    maxIterations: MAX_PERIODS,
  });
}

function startOn(
  day: string | Temporal.PlainDate,
  start: string,
  timeZone: string,
): Temporal.ZonedDateTime {
  return Temporal.PlainDate.from(day).toZonedDateTime({ timeZone, plainTime: start });
}

/** One time that a window is open. */
export interface Opening {
  readonly window: MaintenanceWindow;
  readonly from: Temporal.ZonedDateTime;
  /** No longer part of it. */
  readonly to: Temporal.ZonedDateTime;
}

/** The openings of a window that end after an instant, the soonest first. */
export function* openingsAfter(
  window: MaintenanceWindow,
  instant: Temporal.Instant,
): Generator<Opening, undefined> {
  const rule = ruleOf(window.rrule, window.since ?? ANCHOR);
  // one that began so long ago may be open still
  let day = instant
    .toZonedDateTimeISO('UTC')
    .subtract({ days: MAX_DAYS + 2 })
    .toInstant();
  for (;;) {
    const next = rule.next(new Date(day.epochMilliseconds));
    if (next === null) return undefined;
    day = Temporal.Instant.fromEpochMilliseconds(next.epochMilliseconds);
    const from = startOn(
      day.toZonedDateTimeISO('UTC').toPlainDate(),
      window.start,
      window.timeZone,
    );
    const to = from.add(window.duration);
    if (Temporal.Instant.compare(to.toInstant(), instant) > 0) yield { window, from, to };
  }
}
