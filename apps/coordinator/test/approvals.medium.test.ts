import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf, LiftlockError } from '#kernel';
import type { Plan, PlannedApprovals, Role } from '#contracts';
import { CoordinatorScene, SetClock } from './support/coordinator-scene.js';
import { waitingPlan } from './support/waiting-plan.js';

const NOW = '2026-11-21T10:00:00.000Z';
let scene: CoordinatorScene;
beforeAll(async () => {
  scene = await CoordinatorScene.open(new SetClock(NOW), 2);
});
afterAll(() => scene.close());

const needing = (environment: string, approvals: Partial<PlannedApprovals> = {}): Plan =>
  waitingPlan(environment, {
    startConditions: {
      approvals: { needed: [{ role: 'approver', count: 2 }], notByRequester: true, ...approvals },
    },
  });

/** `code: message` */
async function refusal(asked: Promise<unknown>): Promise<string> {
  const error: unknown = await asked.then(
    () => new Error('it was taken'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof LiftlockError)) throw error;
  return `${error.code}: ${error.message}`;
}

describe('approvals', () => {
  it('begin it with the last one only; each names plan, person, time and comment', async () => {
    const plan = needing('counted');
    const { id, approvals } = await scene.begin(plan);
    expect(approvals).toMatchObject({ given: [], missing: [{ role: 'approver', count: 2 }] });
    const first = await scene.act(id, 'approve', 'ben', 'approver', {
      ...{ plan: digestOf(plan), comment: 'seen on staging' },
    });
    const given = {
      ...{ actor: 'ben', role: 'approver', at: NOW, plan: digestOf(plan) },
      comment: 'seen on staging',
    };
    expect(first.state).toBe('awaiting_approval');
    expect(first.approvals).toMatchObject({
      ...{ given: [given], missing: [{ role: 'approver', count: 1 }] },
    });
    const second = await scene.act(id, 'approve', 'cyd', 'approver');
    expect(second.approvals?.missing).toEqual([]);
    await scene.until(id, 'running');
    const told = (await scene.events(id)).filter(({ type }) => type === 'approval-given');
    expect(told.map(({ data }) => data)).toEqual([
      { ...given, missing: [{ role: 'approver', count: 1 }] },
      { actor: 'cyd', role: 'approver', at: NOW, plan: digestOf(plan), missing: [] },
    ]);
  });

  it('what does not count is refused, and changes nothing', async () => {
    const plan = needing('refusing', {
      needed: [
        { role: 'approver', count: 1 },
        { role: 'operator', count: 1 },
      ],
    });
    const { id } = await scene.begin(plan, 'ann');
    const say = (actor: string, role: Role, request: object = {}) =>
      refusal(scene.act(id, 'approve', actor, role, request));
    expect(await say('ann', 'approver')).toMatch(/^forbidden: .*somebody else must approve/);
    expect(await say('ann', 'admin')).toMatch(/^forbidden: /);
    expect(await say('vic', 'viewer')).toMatch(/^forbidden: .*1 approver and 1 operator/);
    expect(await say('ben', 'approver', { plan: digestOf('another') })).toMatch(
      new RegExp(`^conflict: .*${digestOf(plan)}`),
    );
    await scene.act(id, 'approve', 'ben', 'approver');
    expect(await say('ben', 'admin')).toMatch(/^conflict: .*one person counts once/);
    expect(await say('cyd', 'approver')).toMatch(/^conflict: .*what is missing is 1 operator/);
    const before = await scene.get(id);
    expect(before.approvals?.given.map(({ actor }) => actor)).toEqual(['ben']);
    await scene.act(id, 'approve', 'dan', 'admin');
    await scene.until(id, 'running');
    expect(await say('eve', 'operator')).toMatch(/^conflict: /);
  });

  it('two at the same moment both count, and ten of one person count once', async () => {
    const { id } = await scene.begin(
      needing('at-once', { needed: [{ role: 'approver', count: 3 }] }),
    );
    const same = await Promise.allSettled(
      Array.from({ length: 10 }, () => scene.act(id, 'approve', 'ben', 'approver')),
    );
    expect(same.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await Promise.all(['cyd', 'dan'].map((who) => scene.act(id, 'approve', who, 'approver')));
    const view = await scene.until(id, 'running');
    expect(view.approvals?.given.map(({ actor }) => actor).toSorted()).toEqual([
      'ben',
      'cyd',
      'dan',
    ]);
    const begun = (await scene.events(id)).filter(({ data }) => data.to === 'running');
    expect(begun).toHaveLength(1);
  });

  it('outlast every coordinator', async () => {
    const { id } = await scene.begin(needing('restarted'));
    await scene.act(id, 'approve', 'ben', 'approver');
    await scene.stop();
    await scene.start(2);
    expect((await scene.get(id)).approvals?.given).toHaveLength(1);
    expect(await refusal(scene.act(id, 'approve', 'ben', 'approver'))).toMatch(/^conflict: /);
    await scene.act(id, 'approve', 'cyd', 'approver');
    await scene.until(id, 'running');
  });
});
