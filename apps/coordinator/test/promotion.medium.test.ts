import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Plan } from '#contracts';
import { CoordinatorScene, SetClock } from './support/coordinator-scene.js';
import { waitingPlan } from './support/waiting-plan.js';

const MONDAY = '2026-11-23T12:00:00.000Z';
const TUESDAY = '2026-11-24T12:00:00.000Z';
const clock = new SetClock(MONDAY);
let scene: CoordinatorScene;
beforeAll(async () => {
  scene = await CoordinatorScene.open(clock);
});
afterAll(() => scene.close());

/** The production that a staging of its own leads to. */
const production = (from: string, more: Partial<Plan['startConditions']> = {}): Plan =>
  waitingPlan(`${from}-prod`, { startConditions: { promotion: { from }, ...more } });

async function succeed(environment: string, plan = waitingPlan(environment)): Promise<string> {
  const { id } = await scene.begin(plan);
  await scene.finish(id, 'h1/w1/a/replace');
  await scene.finish(id, 'h1/w2/b/replace');
  await scene.until(id, 'succeeded');
  return id;
}

describe('an environment that others are promoted to', () => {
  it('refuses what never succeeded there, before anybody is asked to approve it, and takes it afterwards', async () => {
    clock.set(MONDAY);
    const plan = production('first', {
      approvals: { needed: [{ role: 'approver', count: 1 }], notByRequester: true },
    });
    const refused = await scene.begin(plan);
    expect(refused).toMatchObject({
      state: 'failed',
      error: { code: 'conflict' },
      message:
        'first-prod takes only what has succeeded in first before: shop was never upgraded to shop-2 there; upgrade shop in first to shop-2 first',
    });
    const before = await succeed('first');
    expect((await scene.get(before)).planShape).toBe(refused.planShape);
    expect(await scene.promotion(plan)).toMatchObject({ outcome: 'holds' });
    const { id, state } = await scene.begin(plan);
    expect(state).toBe('awaiting_approval');
    expect((await scene.act(id, 'approve', 'ben', 'approver')).state).toBe('running');
  });

  it('looks again when it begins: what was rolled back meanwhile does not count any more', async () => {
    clock.set(MONDAY);
    await succeed('again');
    const approvals = { needed: [{ role: 'approver' as const, count: 1 }], notByRequester: true };
    const { id } = await scene.begin(production('again', { approvals }));
    const later = await scene.begin(waitingPlan('again'));
    clock.set(TUESDAY);
    const error = { code: 'port_taken', message: 'port 80 is taken', retryable: false } as const;
    await scene.finish(later.id, 'h1/w1/a/replace', { outcome: 'failed', error, effect: 'none' });
    await scene.until(later.id, 'rolled_back');
    const end = await scene.act(id, 'approve', 'ben', 'approver');
    expect(end.state).toBe('failed');
    expect(end.message).toContain(
      `the last upgrade that does the same, ${later.id}, is rolled_back`,
    );
  });

  it('does not count as succeeded where it went back afterwards', async () => {
    clock.set(MONDAY);
    const before = await succeed('back');
    const there = waitingPlan('back');
    const down = await succeed('back', {
      ...{ ...there, release: 'shop-1', from: '2', to: '1' },
      hops: there.hops.map((hop) => ({ ...hop, from: '2', to: '1' })),
    });
    const refused = await scene.begin(production('back'));
    expect(refused.state).toBe('failed');
    expect(refused.message).toContain(
      `there the same succeeded (${before}), and ${down} went back behind it`,
    );
    await succeed('back');
    expect(await scene.promotion(production('back'))).toMatchObject({ outcome: 'holds' });
  });

  it('has done the whole where one upgrade did a part and another, which continues it, the rest', async () => {
    clock.set(MONDAY);
    const whole = waitingPlan('parts');
    const policy = { ...whole.policy, scope: 'instance', maxFailures: 1 } as const;
    const first = await scene.begin({ ...whole, policy });
    await scene.finish(first.id, 'h1/w1/a/replace');
    const error = { code: 'port_taken', message: 'port 80 is taken', retryable: false } as const;
    await scene.finish(first.id, 'h1/w2/b/replace', { outcome: 'failed', error, effect: 'none' });
    await scene.until(first.id, 'partially_succeeded');
    const hops = whole.hops.map((hop) => ({ ...hop, waves: hop.waves.slice(1) }));
    const rest = await scene.begin({ ...whole, hops }, 'ann', { continues: first.id });
    expect(await scene.promotion(production('parts'))).toMatchObject({ outcome: 'missing' });
    await scene.finish(rest.id, 'h1/w2/b/replace');
    await scene.until(rest.id, 'succeeded');
    expect(await scene.promotion(production('parts'))).toMatchObject({ outcome: 'holds' });
  });

  it('says what differs from what was done there', async () => {
    clock.set(MONDAY);
    const before = await succeed('other');
    const plan = production('other');
    const [hop] = plan.hops;
    const less = {
      ...plan,
      hops: hop === undefined ? [] : [{ ...hop, waves: hop.waves.slice(0, 1) }],
    };
    const refused = await scene.begin(less);
    expect(refused.state).toBe('failed');
    expect(refused.message).toContain(
      `there ${before} (succeeded) did something else: in other b was upgraded, too`,
    );
    expect(await scene.promotion(less)).toEqual({ outcome: 'missing', message: refused.message });
  });

  it('waits, through a restart, until it has proved itself long enough', async () => {
    clock.set(MONDAY);
    await succeed('soaks');
    const promotion = { from: 'soaks', soakSeconds: 24 * 3600 };
    const { id, state, waiting } = await scene.begin(production('soaks', { promotion }));
    expect(state).toBe('scheduled');
    expect(waiting?.until).toBe(TUESDAY);
    expect(waiting?.message).toContain('has to prove itself there until');
    await scene.stop();
    await scene.start(1);
    expect((await scene.get(id)).state).toBe('scheduled');
    clock.set(TUESDAY);
    await scene.until(id, 'running');
  });
});
