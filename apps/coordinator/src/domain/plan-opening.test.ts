import { describe, expect, it } from 'vitest';
import { freeze, maintenanceWindow, type Freeze, type StartConditions } from '#contracts';
import { newSaga } from '#saga';
import { waitingPlan } from '../../test/support/waiting-plan.js';
import { ASK_AGAIN_MS, LOOK_AGAIN_MS, openingOf, type FreezesNow } from './plan-opening.js';
import { beganUnderWindows, windowNews } from './window-news.js';

const NOW = new Date('2026-11-28T21:30:00Z');
const after = (ms: number): Date => new Date(NOW.getTime() + ms);
const ice = (name: string, from: string, to: string): Freeze =>
  freeze.parse({ name, from, to, reason: 'stocktaking' });
const sale = ice('sale', '2026-11-28T00:00:00Z', '2026-11-28T22:00:00Z');
const longer = ice('sale', '2026-11-28T00:00:00Z', '2026-11-28T23:00:00Z');
const weekend = maintenanceWindow.parse({
  ...{ name: 'weekend', rrule: 'FREQ=WEEKLY;BYDAY=SA,SU', start: '22:00', duration: 'PT6H' },
  timeZone: 'Europe/Berlin',
});
const known = (...freezes: Freeze[]): FreezesNow => ({ outcome: 'known', freezes });
const unknown: FreezesNow = { outcome: 'unknown', message: 'the planner is away' };
const planned = (startConditions?: StartConditions) => waitingPlan('prod', { startConditions });
const opening = (conditions: StartConditions | undefined, freezes?: FreezesNow, now = NOW) =>
  openingOf(planned(conditions), freezes, now);

describe('when the waves of a plan may begin', () => {
  it('a freeze of the document holds for a plan that asks for nothing, and is looked at again before it ends', () => {
    expect(opening(undefined)).toEqual({ open: true });
    expect(opening(undefined, known(sale))).toEqual({
      ...{ open: false, until: new Date(sale.to), lookAt: after(LOOK_AGAIN_MS) },
      message: 'frozen (sale): stocktaking until Sat 2026-11-28 22:00 UTC',
    });
    const last = new Date('2026-11-28T21:59:30Z');
    expect(opening(undefined, known(sale), last)).toMatchObject({ lookAt: new Date(sale.to) });
  });

  it('a freeze of the plan holds though the document has it no more, and a longer one of its name holds too', () => {
    const conditions = { freezes: [sale] };
    const own = { open: false, until: new Date(sale.to), lookAt: new Date(sale.to) };
    expect(opening(conditions, known())).toMatchObject(own);
    expect(opening(conditions, known(sale))).toMatchObject(own);
    // until the plan's own ends nothing can begin: there is nothing to look at before
    const both = { open: false, until: new Date(longer.to), lookAt: new Date(sale.to) };
    expect(opening(conditions, known(longer))).toMatchObject(both);
  });

  it('a freeze beats the window of the plan, and the window is waited for behind it', () => {
    const windows = [weekend];
    expect(opening({ windows }, known())).toMatchObject({ open: true });
    const until = new Date('2026-11-29T21:00:00Z');
    const night = ice('night', '2026-11-28T00:00:00Z', '2026-11-29T12:00:00Z');
    expect(opening({ windows }, known(night))).toMatchObject({ open: false, until });
  });

  it('what is not known shuts it for a moment, whatever is open; what the plan shuts is told as the plan has it', () => {
    expect(opening({ windows: [weekend] }, unknown)).toEqual({
      ...{ open: false, until: after(ASK_AGAIN_MS), lookAt: after(ASK_AGAIN_MS) },
      message: 'whether prod is frozen is not known: the planner is away',
    });
    expect(opening({ freezes: [sale] }, unknown)).toEqual(opening({ freezes: [sale] }));
  });

  it('an emergency that skips freezes asks for none, and one that skips windows only is frozen', () => {
    const advisories = ['CVE-2026-12345'];
    const emergency = { advisories, skips: ['windows' as const, 'freezes' as const] };
    for (const freezes of [known(sale), unknown])
      expect(opening({ emergency }, freezes)).toEqual({ open: true });
    const windows = { emergency: { advisories, skips: ['windows' as const] } };
    expect(opening(windows, known(sale))).toMatchObject({ open: false });
  });
});

describe('what the engine is told of its window', () => {
  const plan = planned({ windows: [weekend], whenClosed: 'pause' });
  const running = { ...newSaga(), state: 'running' as const };
  const until = new Date(sale.to).toISOString();

  it('a freeze that was written meanwhile closes it once, and its end opens it', () => {
    const told = windowNews(running, plan, NOW, known(sale));
    expect(told).toMatchObject({ type: 'window-closed', until });
    const closed = { ...running, closed: { until, message: 'frozen' } };
    expect(windowNews(closed, plan, NOW, known(sale))).toBeUndefined();
    expect(windowNews(closed, plan, NOW, known())).toEqual({ type: 'window-opened' });
  });

  it('that nobody answers closes it for a moment, again and again', () => {
    const closed = { ...running, closed: { until: NOW.toISOString(), message: 'not known' } };
    expect(windowNews(closed, plan, NOW, unknown)).toMatchObject({
      ...{ type: 'window-closed', until: after(ASK_AGAIN_MS).toISOString() },
    });
  });

  it('nothing where waves go on whatever closes, or where it has not begun', () => {
    const goesOn = planned({ windows: [weekend] });
    expect(windowNews(running, goesOn, NOW, known(sale))).toBeUndefined();
    expect(beganUnderWindows(goesOn, [{ type: 'wave-started', data: {} }])).toBe(false);
    expect(beganUnderWindows(plan, [{ type: 'wave-started', data: {} }])).toBe(true);
    expect(beganUnderWindows(plan, [{ type: 'lane-started', data: {} }])).toBe(false);
    expect(windowNews(newSaga(), plan, NOW, known(sale))).toBeUndefined();
  });

  it('hooks of the application begin under the window, too', () => {
    const [step] = plan.hops[0]?.waves[0]?.lanes[0]?.steps ?? [];
    if (step === undefined) throw new Error('the plan has no step');
    const none = { after: [], undoAfter: [], onceBack: [] };
    const hooked = { ...plan, applicationHooks: { before: [{ ...step, id: 'first' }], ...none } };
    const dispatched = (id: string) => [{ type: 'step-dispatched' as const, data: { step: id } }];
    expect(beganUnderWindows(hooked, dispatched('first'))).toBe(true);
    expect(beganUnderWindows(hooked, dispatched('h1/w1/a/replace'))).toBe(false);
    expect(beganUnderWindows(plan, dispatched('first'))).toBe(false);
  });
});
