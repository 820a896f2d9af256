import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '#kernel';
import { upgradeChainDocument, upgradeRequest, type Plan } from '#contracts';
import { PlanIndex } from '#saga';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan, type PlanningInput } from './compute-plan.js';

const VERSIONS = ['1.0', '2.0', '3.0', '4.0', '5.0'];

/** Each instance runs some version, some components have data, the chain has some edges up. */
const scene = fc.record({
  edges: fc.array(fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }), {
    minLength: 5,
    maxLength: 5,
  }),
  runs: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)),
  hasData: fc.tuple(fc.boolean(), fc.boolean()),
  maxUnavailable: fc.constantFrom(1, '50%', undefined),
});
type Scene = typeof scene extends fc.Arbitrary<infer S> ? S : never;

function inputOf({ edges, runs, hasData, maxUnavailable }: Scene, turned = false): PlanningInput {
  const order = <T>(all: T[]): T[] => (turned ? all.toReversed() : all);
  const chain = (name: string, odd: boolean) =>
    given.stored(
      upgradeChainDocument.parse({
        apiVersion: 'liftlock.dev/v1',
        kind: 'UpgradeChain',
        metadata: { name },
        spec: {
          application: 'shop',
          supportedVersions: VERSIONS.map((version, from) => ({
            version,
            availableUpgrades: VERSIONS.filter(
              (_, to) => to > from && edges[from]?.[to] === true && (to % 2 === 1) === odd,
            ),
          })),
        },
      }),
    );
  const data = (has: boolean) => (has ? { data: { paths: ['/data'] } } : { data: undefined });
  const application = given.application([given.web(data(hasData[0])), given.db(data(hasData[1]))]);
  const images = VERSIONS.flatMap((version) => [
    given.present(`web:${version}`),
    given.present(`db:${version}`),
  ]);
  const version = (index: number): string => VERSIONS[index] ?? '1.0';
  return given.input({
    request: upgradeRequest.parse({
      ...{ environment: 'prod', application: 'shop', release: 'shop-5.0' },
    }),
    application: given.stored({
      ...application,
      spec: {
        ...application.spec,
        chains: ['odd', 'even'],
        ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
      },
    }),
    release: given.stored(given.release('5.0')),
    releases: order(VERSIONS.map((one) => given.stored(given.release(one)))),
    chains: [chain('odd', true), chain('even', false)],
    observations: order([
      given.observed(
        'host-a',
        order([
          given.container('web', `web:${version(runs[0])}`),
          given.container('shop-db', `db:${version(runs[1])}`),
        ]),
        images,
      ),
      given.observed('host-b', [given.container('web', `web:${version(runs[2])}`)], images),
    ]),
  });
}

function planOf(input: PlanningInput): Plan | undefined {
  const planned = computePlan(input);
  return 'ok' in planned ? planned.ok : undefined;
}

describe('any plan', () => {
  it('is the same whatever the order in which documents and observations come', () => {
    fc.assert(
      fc.property(scene, (one) => {
        const [plan, turned] = [planOf(inputOf(one)), planOf(inputOf(one, true))];
        expect(turned === undefined).toBe(plan === undefined);
        if (plan !== undefined) expect(digestOf(turned)).toBe(digestOf(plan));
      }),
      { numRuns: 60 },
    );
  });

  it('each hop is an edge of a chain, and each instance goes from what runs to what is wanted without a gap', () => {
    fc.assert(
      fc.property(scene, (one) => {
        const plan = planOf(inputOf(one));
        if (plan === undefined) return;
        const now = new Map(plan.observed.map(({ instance, version }) => [instance, version]));
        for (const hop of plan.hops) {
          const [from, to] = [VERSIONS.indexOf(hop.from), VERSIONS.indexOf(hop.to)];
          expect(one.edges[from]?.[to]).toBe(true);
          for (const { lanes } of hop.waves)
            for (const lane of lanes) {
              expect([lane.instance, now.get(lane.instance)]).toEqual([lane.instance, lane.from]);
              now.set(lane.instance, lane.to);
            }
        }
        for (const [instance, version] of now)
          expect([instance, version]).toEqual([instance, '5.0']);
      }),
      { numRuns: 60 },
    );
  });

  it('its way back never restores under what runs, nor starts the old before its data is back', () => {
    fc.assert(
      fc.property(scene, (one) => {
        const plan = planOf(inputOf(one));
        if (plan === undefined) return;
        const index = PlanIndex.of(plan);
        const before = (id: string): Set<string> => {
          const found = new Set<string>();
          const open = [id];
          for (let at = open.pop(); at !== undefined; at = open.pop())
            for (const next of index.compensation.get(at)?.step.after ?? []) {
              found.add(next);
              open.push(next);
            }
          return found;
        };
        for (const { step } of index.compensation.values()) {
          const actionsBefore = [...before(step.id)].map(
            (id) => index.compensation.get(id)?.step.action,
          );
          const ofLane = [...index.compensation.values()].filter(({ step: other }) =>
            other.lanes.some((lane) => step.lanes.includes(lane)),
          );
          const hasData = ofLane.some(({ step: other }) => other.action === 'data.restore');
          if (step.action === 'data.restore') expect(actionsBefore).toContain('instance.stop-new');
          if (step.action === 'instance.restore-old') {
            expect(actionsBefore).toContain('instance.stop-new');
            if (hasData) expect(actionsBefore).toContain('data.restore');
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
