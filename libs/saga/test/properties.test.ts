import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFinal } from '#contracts';
import { approveBy, buildPlan, type PlanShape } from './plan-builder.js';
import { Simulation, type Odds } from './simulation.js';

const lane = fc.record({
  bareCommand: fc.boolean(),
  irreversible: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
  bracket: fc.constantFrom('none' as const, 'lane' as const, 'replace' as const),
  way: fc.constantFrom('recreate' as const, 'rolling' as const, 'hooked' as const),
});
const shape: fc.Arbitrary<PlanShape> = fc
  .record({
    waves: fc.array(
      fc.record({
        parallelism: fc.integer({ min: 1, max: 3 }),
        lanes: fc.array(lane, { minLength: 1, maxLength: 3 }),
      }),
      {
        minLength: 1,
        maxLength: 3,
      },
    ),
    hops: fc.integer({ min: 1, max: 2 }),
    scope: fc.constantFrom('instance' as const, 'wave' as const, 'upgrade' as const),
    maxFailures: fc.integer({ min: 0, max: 2 }),
    rollbackTo: fc.constantFrom('origin' as const, 'last_verified_hop' as const),
    bakeSeconds: fc.constantFrom(0, 10),
    approval: fc.constantFrom('none' as const, 'required' as const),
    approvals: fc.constantFrom(
      undefined,
      [{ role: 'approver' as const, count: 2 }],
      [
        { role: 'approver' as const, count: 1 },
        { role: 'operator' as const, count: 1 },
      ],
    ),
    outerBracket: fc.boolean(),
    tiers: fc.boolean(),
    share: fc.boolean(),
    hooks: fc.constantFrom(...(['none', 'reversible', 'irreversible', 'jobs'] as const)),
  })
  .map(({ waves, hops, ...rest }) => {
    let n = 0;
    const named = waves.map((wave) => ({
      ...wave,
      lanes: wave.lanes.map((one) => {
        n += 1;
        return { ...one, instance: `c${n}` };
      }),
    }));
    return { ...rest, hops: Array.from({ length: hops }, () => named) };
  });

const odds: fc.Arbitrary<Odds> = fc.record({
  fail: fc.constantFrom(0, 3, 15),
  lost: fc.constantFrom(0, 3, 10),
  silent: fc.constantFrom(0, 2, 6),
  decision: fc.constantFrom(0, 0, 2),
  window: fc.constantFrom(0, 0, 4),
  twice: fc.constantFrom(0, 30),
});

/** A small generator of numbers (mulberry32), so that one seed names a whole run. */
function drawFrom(seed: number): (n: number) => number {
  let a = seed;
  return (n) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

function assertEndsRight(run: Simulation, plan: ReturnType<typeof buildPlan>): void {
  expect(run.defects).toEqual([]);
  expect(run.world.violations).toEqual([]);
  const { saga } = run;
  const held = [...run.world.held].filter(
    (bracket) =>
      !['acquire', 'release'].some((part) => saga.attention.includes(`${bracket}/${part}`)),
  );
  expect(held, `brackets held in ${saga.state}`).toEqual([]);
  if (!isFinal(saga.state)) {
    expect(saga.state).toBe('needs_attention');
    expect(saga.attention.length).toBeGreaterThan(0);
    expect(run.holdsLocks()).toBe(true);
    return;
  }
  expect(run.holdsLocks()).toBe(false);
  const hops = plan.hops.length;
  const names = (steps: readonly { readonly id: string }[] = []): string[] =>
    steps.map(({ id }) => id.split('/')[2] ?? '');
  const { before, after } = plan.applicationHooks ?? {};
  const skipped = Object.values(saga.steps).some((progress) => progress.status === 'skipped');
  if (!skipped) {
    expect([...run.world.jobs], `jobs left in ${saga.state}`).toEqual([]);
    const done = /succeeded$/.test(saga.state) ? [...names(before), ...names(after)] : [];
    expect([...run.world.hooked].filter((name) => name !== 'mourn').toSorted()).toEqual(
      done.toSorted(),
    );
  }
  for (const [name, instance] of run.world.instances) {
    const lanes = [...plan.hops.flatMap((hop) => hop.waves.flatMap((wave) => wave.lanes))].filter(
      (one) => one.instance === name,
    );
    const verified = lanes.filter((one) => saga.lanes[one.id] === 'verified').length;
    // done, taken back, or never begun: and the world says the same
    expect(instance.running, `${name} in ${saga.state}`).toBe(verified);
    if (!skipped) expect(instance.data, `data of ${name} in ${saga.state}`).toBe(verified);
    const changed = lanes.filter(({ id }) => run.world.changed.has(id)).length;
    const hooked = lanes.filter((one) => one.steps.some(({ action }) => action === 'hook.object'));
    if (!skipped)
      expect(changed, `objects of ${name} in ${saga.state}`).toBe(hooked.length && verified);
    if (saga.state === 'succeeded') expect(verified).toBe(hops);
    if (saga.state === 'rolled_back' && plan.policy.rollbackTo === 'origin')
      expect(verified).toBe(0);
    if (['failed', 'rejected', 'cancelled'].includes(saga.state)) expect(verified).toBe(0);
  }
}

describe('any plan, any order of results, duplicates, deaths, silences and decisions', () => {
  it('ends in a final state or needs_attention, with every step done, taken back or never begun', () => {
    fc.assert(
      fc.property(shape, odds, fc.integer(), (planShape, drawnOdds, seed) => {
        const plan = buildPlan(planShape);
        const run = new Simulation(plan, drawFrom(seed), drawnOdds);
        run.run();
        assertEndsRight(run, plan);
        if (run.saga.state === 'needs_attention') {
          run.heal();
          assertEndsRight(run, plan);
          // a step without a way back that failed for good keeps waiting for a person; nothing else does
          expect(
            isFinal(run.saga.state) ||
              Object.values(run.saga.steps).some((one) => one.status === 'failed'),
          ).toBe(true);
        }
      }),
      { numRuns: 600 },
    );
  }, 900_000);

  it('a final state absorbs every further message', () => {
    fc.assert(
      fc.property(shape, fc.integer(), (planShape, seed) => {
        const plan = buildPlan(planShape);
        const run = new Simulation(plan, drawFrom(seed), {
          fail: 5,
          lost: 5,
          silent: 0,
          decision: 1,
          window: 2,
          twice: 0,
        });
        run.run();
        fc.pre(isFinal(run.saga.state));
        for (const [stepId, { token }] of Object.entries(run.saga.steps)) {
          run.tell({
            type: 'step-finished',
            stepId,
            token,
            result: { outcome: 'succeeded', output: {} },
          });
          run.tell({ type: 'deadline', stepId, token });
          run.tell({ type: 'retry-due', stepId, token });
        }
        for (const type of ['cancel', 'pause', 'resume', 'rollback', 'retry'] as const) {
          expect(run.tell({ type, actor: 'p' }).refused?.code).toBe('conflict');
        }
        expect(run.tell(approveBy('late')).refused?.code).toBe('conflict');
        run.tell({ type: 'bake-over' });
        run.tell({ type: 'admitted' });
        expect(run.defects).toEqual([]);
      }),
      { numRuns: 200 },
    );
  }, 900_000);
});
