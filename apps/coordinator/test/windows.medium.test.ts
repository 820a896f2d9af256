import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freeze, maintenanceWindow, type Plan, type StartConditions } from '#contracts';
import { CoordinatorScene, SetClock } from './support/coordinator-scene.js';
import { waitingPlan } from './support/waiting-plan.js';

const FRIDAY = '2026-11-27T12:00:00.000Z';
const SATURDAY = '2026-11-28T21:00:00.000Z';
const SUNDAY = '2026-11-29T21:00:00.000Z';
const clock = new SetClock(FRIDAY);
let scene: CoordinatorScene;
beforeAll(async () => {
  scene = await CoordinatorScene.open(clock);
});
afterAll(() => scene.close());

const windows = [
  maintenanceWindow.parse({
    ...{ name: 'weekend', rrule: 'FREQ=WEEKLY;BYDAY=SA,SU', start: '22:00', duration: 'PT6H' },
    timeZone: 'Europe/Berlin',
  }),
];
const under = (environment: string, more: Partial<StartConditions> = {}) =>
  waitingPlan(environment, { startConditions: { windows, ...more } });
const typesOf = async (id: string): Promise<string[]> =>
  (await scene.events(id)).map(({ type }) => type);

describe('an upgrade outside of its window', () => {
  it('waits, also while no coordinator runs, and begins by itself when the window opens', async () => {
    clock.set(FRIDAY);
    const begun = await scene.begin(under('waits'));
    expect(begun).toMatchObject({
      state: 'scheduled',
      waiting: {
        until: SATURDAY,
        message: 'outside of its maintenance windows until Sat 2026-11-28 22:00 Europe/Berlin',
      },
    });
    expect(await typesOf(begun.id)).toContain('upgrade-waiting');
    await scene.stop();
    clock.set('2026-11-28T20:59:00.000Z');
    await scene.start(2);
    expect((await scene.get(begun.id)).state).toBe('scheduled');
    clock.set(SATURDAY);
    const running = await scene.until(begun.id, 'running');
    expect(running.waiting).toBeUndefined();
    expect((await typesOf(begun.id)).filter((type) => type === 'upgrade-waiting')).toHaveLength(1);
  });

  it('whose window went by while no coordinator ran waits for the next one', async () => {
    clock.set(FRIDAY);
    const { id } = await scene.begin(under('missed'));
    await scene.stop();
    clock.set('2026-11-29T10:00:00.000Z');
    await scene.start(1);
    const view = await scene.until(id, ({ waiting }) => waiting?.until === SUNDAY);
    expect(view.state).toBe('scheduled');
    clock.set(SUNDAY);
    await scene.until(id, 'running');
  });

  it('waits for its approvals first, and a freeze beats the window', async () => {
    clock.set(FRIDAY);
    const plan = under('frozen', {
      approvals: { needed: [{ role: 'approver', count: 1 }], notByRequester: true },
      freezes: [
        {
          name: 'sale',
          from: '2026-11-28T00:00:00Z',
          to: '2026-11-30T00:00:00Z',
          reason: 'black weekend',
        },
      ],
    });
    const { id } = await scene.begin(plan);
    const approved = await scene.act(id, 'approve', 'ben', 'approver');
    expect(approved).toMatchObject({
      ...{ state: 'scheduled', waiting: { until: '2026-11-30T00:00:00.000Z' } },
    });
    clock.set('2026-11-28T21:30:00.000Z');
    expect((await scene.act(id, 'cancel', 'ben', 'operator')).state).toBe('cancelled');
  });
});

describe('many that wait for their windows', () => {
  it('one whose saga nobody can read keeps none behind it waiting', async () => {
    clock.set(FRIDAY);
    const spoilt = await scene.begin(under('spoilt'));
    const sound = await scene.begin(under('sound'));
    await scene.sql(`UPDATE upgrades SET saga = '{}' WHERE id = '${spoilt.id}'`);
    // more than are looked at at the same time, and before the other one's
    await scene.sql(
      `INSERT INTO timers SELECT upgrade, 'again-' || n, due_at - interval '1 s', message
         FROM timers, generate_series(1, 20) n WHERE upgrade = '${spoilt.id}'`,
    );
    clock.set(SATURDAY);
    expect((await scene.until(sound.id, 'running')).waiting).toBeUndefined();
    await scene.sql(`DELETE FROM timers WHERE upgrade = '${spoilt.id}'`);
  });
});

describe('two of one application that have no instance in common, since each leaves out the other’s', () => {
  it('never go side by side: what one left out would not stay as it counts on', async () => {
    clock.set(FRIDAY);
    const part = (index: number): Plan => {
      const plan = under('parted');
      const hops = plan.hops.map((hop) => ({ ...hop, waves: hop.waves.slice(index, index + 1) }));
      return { ...plan, hops };
    };
    const both = await Promise.all([0, 1].map((index) => scene.begin(part(index))));
    expect(both.map(({ state }) => state)).toEqual(['scheduled', 'scheduled']);
    clock.set(SATURDAY);
    const [one, other] = await Promise.all(
      both.map(({ id }) => scene.until(id, ({ state }) => state !== 'scheduled')),
    );
    expect(new Set([one?.state, other?.state])).toEqual(new Set(['failed', 'running']));
    const [begun, refused] = one?.state === 'running' ? [one, other] : [other, one];
    expect(refused?.message).toContain(`shop is held by upgrade ${begun?.id}`);
  });
});

describe('a window that closes', () => {
  it('finish: what has begun goes through with all its waves', async () => {
    clock.set(SATURDAY);
    const { id } = await scene.begin(under('finishes'));
    clock.set('2026-11-29T12:00:00.000Z');
    await scene.finish(id, 'h1/w1/a/replace');
    await scene.finish(id, 'h1/w2/b/replace');
    expect((await scene.until(id, 'succeeded')).state).toBe('succeeded');
  });

  it('pause: the next wave waits for the next window, through a restart; nobody hurries it by hand', async () => {
    clock.set(SATURDAY);
    const { id } = await scene.begin(under('pauses', { whenClosed: 'pause' }));
    clock.set('2026-11-29T03:00:00.000Z');
    await scene.finish(id, 'h1/w1/a/replace');
    const paused = await scene.until(id, 'paused');
    expect(paused.waiting?.until).toBe(SUNDAY);
    await expect(scene.act(id, 'resume', 'ben', 'operator')).rejects.toThrow(/goes on by itself/);
    expect((await scene.events(id)).filter(({ data }) => data.wave === 'h1/w2')).toEqual([]);
    await scene.stop();
    await scene.start(1);
    clock.set(SUNDAY);
    await scene.finish(id, 'h1/w2/b/replace');
    const end = await scene.until(id, 'succeeded');
    expect(end.waiting).toBeUndefined();
  });

  it('pause: what a person paused meanwhile is not begun by the window', async () => {
    clock.set(SATURDAY);
    const { id } = await scene.begin(under('by-hand', { whenClosed: 'pause' }));
    clock.set('2026-11-29T03:00:00.000Z');
    await scene.finish(id, 'h1/w1/a/replace');
    await scene.until(id, 'paused');
    await scene.act(id, 'pause', 'ben', 'operator');
    clock.set(SUNDAY);
    const other = await scene.begin(under('witness', { whenClosed: 'pause' }));
    await scene.until(other.id, 'running');
    expect((await scene.get(id)).state).toBe('paused');
    expect((await scene.act(id, 'resume', 'ben', 'operator')).state).toBe('running');
  });
});

describe('a freeze that was written after the plan', () => {
  const incident = freeze.parse({
    ...{ name: 'incident', from: '2026-11-27T00:00:00Z', to: '2026-11-30T00:00:00Z' },
    reason: 'the database is being mended',
  });
  const because = 'frozen (incident): the database is being mended';
  const END = '2026-11-30T00:00:00.000Z';
  /** A minute after a moment, and a little: the document has been looked at again by then. */
  const later = (at: string): string => new Date(Date.parse(at) + 61_000).toISOString();
  const approved = (environment: string, more: Partial<StartConditions> = {}): Plan =>
    waitingPlan(environment, {
      startConditions: {
        approvals: { needed: [{ role: 'approver', count: 1 }], notByRequester: true },
        ...more,
      },
    });

  it('holds for what is approved afterwards, of a plan without windows and freezes; lifted, it begins by itself', async () => {
    clock.set(FRIDAY);
    const { id } = await scene.begin(approved('incident'));
    scene.freeze('incident', incident);
    const view = await scene.act(id, 'approve', 'ben', 'approver');
    const message = `${because} until Mon 2026-11-30 00:00 UTC`;
    expect(view).toMatchObject({ state: 'scheduled', waiting: { until: END, message } });
    scene.freeze('incident');
    clock.set(later(FRIDAY));
    await scene.until(id, 'running');
    expect((await typesOf(id)).filter((type) => type === 'upgrade-waiting')).toHaveLength(1);
  });

  it('holds for what waits for its window, also when it was written while no coordinator ran', async () => {
    clock.set(FRIDAY);
    const { id, waiting } = await scene.begin(under('at-night'));
    expect(waiting?.until).toBe(SATURDAY);
    await scene.stop();
    scene.freeze('at-night', incident);
    clock.set(SATURDAY);
    await scene.start(1);
    // Sunday's window is still open when the freeze ends
    const view = await scene.until(id, (found) => found.waiting?.until === END);
    expect(view).toMatchObject({
      state: 'scheduled',
      waiting: { message: `${because} until Mon 2026-11-30 01:00 Europe/Berlin` },
    });
    clock.set(END);
    await scene.until(id, 'running');
  });

  it('holds back the waves that have not begun, and lets the one under way end', async () => {
    clock.set(SATURDAY);
    const { id } = await scene.begin(under('half-way', { whenClosed: 'pause' }));
    expect((await scene.get(id)).state).toBe('running');
    scene.freeze('half-way', { ...incident, to: '2026-11-28T23:00:00Z' });
    await scene.finish(id, 'h1/w1/a/replace');
    const paused = await scene.until(id, 'paused');
    expect(paused.waiting?.until).toBe('2026-11-28T23:00:00.000Z');
    await expect(scene.act(id, 'resume', 'ben', 'operator')).rejects.toThrow(/goes on by itself/);
    expect((await scene.events(id)).filter(({ data }) => data.wave === 'h1/w2')).toEqual([]);
    await scene.stop();
    await scene.start(1);
    clock.set('2026-11-28T23:00:00.000Z');
    await scene.finish(id, 'h1/w2/b/replace');
    await scene.until(id, 'succeeded');
  });

  it('finish: does not stop what has begun', async () => {
    clock.set(SATURDAY);
    const { id } = await scene.begin(under('goes-on'));
    scene.freeze('goes-on', incident);
    await scene.finish(id, 'h1/w1/a/replace');
    await scene.finish(id, 'h1/w2/b/replace');
    await scene.until(id, 'succeeded');
    expect(await typesOf(id)).not.toContain('upgrade-waiting');
  });

  it('does not hold up an emergency that skips freezes, nor does a planner that is away', async () => {
    clock.set(FRIDAY);
    scene.freeze('urgent', incident);
    const emergency = { advisories: ['CVE-2026-12345'], skips: ['freezes' as const] };
    const plan = waitingPlan('urgent', { startConditions: { emergency } });
    expect((await scene.withoutPlanner(() => scene.begin(plan))).state).toBe('running');
  });

  it('is asked for again where the answer was lost', async () => {
    clock.set(FRIDAY);
    scene.loseAnswerAboutFreezes('lost');
    expect((await scene.begin(waitingPlan('lost'))).state).toBe('running');
  });

  it('may be there while no planner answers: nothing begins blindly, and that is told once', async () => {
    clock.set(SATURDAY);
    const going = await scene.begin(under('half-known', { whenClosed: 'pause' }));
    const waiting = await scene.withoutPlanner(async () => {
      const begun = await scene.begin(waitingPlan('unknown'));
      expect(begun.state).toBe('scheduled');
      expect(begun.waiting?.message).toContain(
        'whether unknown is frozen is not known: the service planner does not answer',
      );
      await scene.finish(going.id, 'h1/w1/a/replace');
      const paused = await scene.until(going.id, 'paused');
      expect(paused.waiting?.message).toContain('whether half-known is frozen is not known');
      clock.set('2026-11-28T21:01:00.000Z');
      await scene.until(begun.id, (view) => view.waiting?.until !== begun.waiting?.until);
      return scene.get(begun.id);
    });
    expect(waiting.state).toBe('scheduled');
    const told = (await typesOf(waiting.id)).filter((type) => type === 'upgrade-waiting');
    expect(told).toHaveLength(1);
    clock.set('2026-11-28T21:02:00.000Z');
    await scene.until(waiting.id, 'running');
    await scene.until(going.id, 'running');
  });
});
