import { describe, expect, it } from 'vitest';
import { freeze, maintenanceWindow, openNow } from '#contracts';

const window = (more: object = {}) =>
  maintenanceWindow.parse({
    ...{ name: 'weekend', rrule: 'FREQ=WEEKLY;BYDAY=SA,SU', start: '22:00' },
    ...{ duration: 'PT6H', timeZone: 'Europe/Berlin', ...more },
  });
const ice = (from: string, to: string) =>
  freeze.parse({ name: 'year-end', from, to, reason: 'stocktaking' });
const at = (text: string, conditions: Parameters<typeof openNow>[0]) => {
  const now = openNow(conditions, new Date(text));
  return [now.open, now.until?.toISOString()];
};

describe('maintenance windows', () => {
  const windows = [window()];

  it.each([
    // in winter Berlin is an hour before UTC; 2026-11-28 is a Saturday
    ['2026-11-27T12:00:00Z', false, '2026-11-28T21:00:00.000Z'],
    ['2026-11-28T20:59:59Z', false, '2026-11-28T21:00:00.000Z'],
    ['2026-11-28T21:00:00Z', true, '2026-11-29T03:00:00.000Z'],
    // behind midnight it is Saturday's window still
    ['2026-11-29T02:59:59Z', true, '2026-11-29T03:00:00.000Z'],
    ['2026-11-29T03:00:00Z', false, '2026-11-29T21:00:00.000Z'],
    ['2026-11-30T04:00:00Z', false, '2026-12-05T21:00:00.000Z'],
    // in summer two
    ['2026-07-03T12:00:00Z', false, '2026-07-04T20:00:00.000Z'],
  ])('at %s open: %s, until %s', (now, open, until) => {
    expect(at(now, { windows })).toEqual([open, until]);
  });

  it('is told with its own clock', () => {
    expect(openNow({ windows }, new Date('2026-11-27T12:00:00Z'))).toMatchObject({
      ...{ untilText: 'Sat 2026-11-28 22:00 Europe/Berlin' },
      because: 'outside of its maintenance windows',
    });
  });

  it('that have no further day are looked at again a day later, not at once and without end', () => {
    const over = { ...window(), rrule: 'FREQ=WEEKLY;BYDAY=SA;UNTIL=20260101T000000Z' };
    const now = openNow({ windows: [over] }, new Date('2026-11-27T12:00:00Z'));
    expect(now).toMatchObject({ open: false, until: new Date('2026-11-28T12:00:00Z') });
  });

  it('hours are hours that pass: the night when clocks go forward, or back', () => {
    const night = [window({ rrule: 'FREQ=DAILY', start: '00:00', duration: 'PT4H' })];
    // 2027-03-28: 02:00 becomes 03:00. 2027-10-31: 03:00 becomes 02:00
    expect(at('2027-03-27T23:00:00Z', { windows: night })).toEqual([
      true,
      '2027-03-28T03:00:00.000Z',
    ]);
    expect(at('2027-10-30T22:00:00Z', { windows: night })).toEqual([
      true,
      '2027-10-31T02:00:00.000Z',
    ]);
    // days are days of the calendar: from midnight to midnight, 23 and 25 hours
    const day = [window({ rrule: 'FREQ=WEEKLY;BYDAY=SU', start: '00:00', duration: 'P1D' })];
    expect(at('2027-03-27T23:00:00Z', { windows: day })).toEqual([
      true,
      '2027-03-28T22:00:00.000Z',
    ]);
    expect(at('2027-10-30T22:00:00Z', { windows: day })).toEqual([
      true,
      '2027-10-31T23:00:00.000Z',
    ]);
  });

  it('a start that the clock jumps over is an hour later, and not left out; one that comes twice is the first', () => {
    const early = [window({ rrule: 'FREQ=DAILY', start: '02:30', duration: 'PT1H' })];
    expect(at('2027-03-28T00:00:00Z', { windows: early })).toEqual([
      false,
      '2027-03-28T01:30:00.000Z',
    ]);
    expect(at('2027-03-28T01:30:00Z', { windows: early })).toEqual([
      true,
      '2027-03-28T02:30:00.000Z',
    ]);
    expect(at('2027-10-31T00:00:00Z', { windows: early })).toEqual([
      false,
      '2027-10-31T00:30:00.000Z',
    ]);
    expect(at('2027-10-31T01:30:00Z', { windows: early })).toEqual([
      false,
      '2027-11-01T01:30:00.000Z',
    ]);
  });

  it('windows that follow on each other are one; the soonest of several counts', () => {
    const two = [
      window({ name: 'evening', rrule: 'FREQ=DAILY', start: '20:00', duration: 'PT2H' }),
      window({ name: 'night', rrule: 'FREQ=DAILY', start: '22:00', duration: 'PT2H' }),
    ];
    expect(at('2026-11-27T19:30:00Z', { windows: two })).toEqual([
      true,
      '2026-11-27T23:00:00.000Z',
    ]);
    expect(at('2026-11-27T12:00:00Z', { windows: two })).toEqual([
      false,
      '2026-11-27T19:00:00.000Z',
    ]);
  });

  it('every second week is counted from a day', () => {
    const other = (since: string) => ({
      windows: [window({ rrule: 'FREQ=WEEKLY;INTERVAL=2;BYDAY=SA', since })],
    });
    expect(at('2026-11-23T00:00:00Z', other('2026-11-23'))).toEqual([
      false,
      '2026-11-28T21:00:00.000Z',
    ]);
    expect(at('2026-11-23T00:00:00Z', other('2026-11-16'))).toEqual([
      false,
      '2026-12-05T21:00:00.000Z',
    ]);
  });

  it('one that is open for days is open although it began long ago', () => {
    const long = [window({ rrule: 'FREQ=MONTHLY;BYMONTHDAY=1', start: '00:00', duration: 'P20D' })];
    expect(at('2026-11-18T00:00:00Z', { windows: long })).toEqual([
      true,
      '2026-11-20T23:00:00.000Z',
    ]);
  });
});

describe('freezes', () => {
  const windows = [window()];

  it('beats a window that is open, and one that would open', () => {
    const freezes = [ice('2026-11-28T22:00:00+01:00', '2026-12-01T00:00[Europe/Berlin]')];
    expect(at('2026-11-28T21:30:00Z', { windows, freezes })).toEqual([
      false,
      '2026-12-05T21:00:00.000Z',
    ]);
    expect(at('2026-11-27T21:30:00Z', { windows, freezes })).toEqual([
      false,
      '2026-12-05T21:00:00.000Z',
    ]);
  });

  it('ends in an open window: it opens in that moment; begins in one: it is open until then', () => {
    const ends = [ice('2026-11-20T00:00:00Z', '2026-11-28T23:00:00Z')];
    expect(at('2026-11-28T22:00:00Z', { windows, freezes: ends })).toEqual([
      false,
      '2026-11-28T23:00:00.000Z',
    ]);
    const begins = [ice('2026-11-28T23:00:00Z', '2026-12-20T00:00:00Z')];
    expect(at('2026-11-28T22:00:00Z', { windows, freezes: begins })).toEqual([
      true,
      '2026-11-28T23:00:00.000Z',
    ]);
  });

  it('without windows: open but for the freeze', () => {
    const freezes = [ice('2026-12-20T00:00:00Z', '2027-01-07T00:00:00Z')];
    expect(at('2026-12-01T00:00:00Z', { freezes })).toEqual([true, '2026-12-20T00:00:00.000Z']);
    expect(at('2026-12-24T00:00:00Z', { freezes })).toEqual([false, '2027-01-07T00:00:00.000Z']);
    expect(at('2027-01-07T00:00:00Z', { freezes })).toEqual([true, undefined]);
    expect(at('2027-01-07T00:00:00Z', undefined)).toEqual([true, undefined]);
    expect(openNow({ freezes }, new Date('2026-12-24T00:00:00Z'))).toMatchObject({
      because: 'frozen (year-end): stocktaking',
    });
  });
});
