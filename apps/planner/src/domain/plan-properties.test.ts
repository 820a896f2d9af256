import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from '#kernel';
import { upgradeChainDocument, upgradeRequest, type Plan } from '#contracts';
import { PlanIndex } from '#saga';
import * as given from '../../test/support/planning-fixture.js';
import { thereAndBack } from '../../test/support/way-back.js';
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

/** A component of a cluster, or of a model of one, which may have data: with hooks at each of their places. */
const HOOKS = ['merge', 'secret', 'delete', 'patch', 'job', 'http'] as const;
const hookTypes = fc.array(fc.constantFrom(...HOOKS), { maxLength: 4 });
const workload = fc.record({
  driver: fc.constantFrom('kubernetes' as const, 'model' as const),
  strategy: fc.constantFrom('recreate' as const, 'rolling' as const, undefined),
  data: fc.constantFrom('stopped' as const, 'running' as const, undefined),
  before: hookTypes,
  // one that writes before there is a snapshot has a way back of its own, or says that it needs none
  stopped: fc.array(fc.constantFrom(...HOOKS, 'writing job' as const), { maxLength: 4 }),
  after: hookTypes,
  hops: fc.integer({ min: 1, max: 2 }),
  running: fc.boolean(),
});
type WorkloadScene = typeof workload extends fc.Arbitrary<infer S> ? S : never;

const WORKS: Readonly<Record<string, object>> = {
  merge: { type: 'merge', object: 'ConfigMap/web', data: { KEY: 'value', GONE: null } },
  secret: { type: 'secret', object: 'Secret/web', data: { KEY: '${LIFTLOCK_SECRET_KEY}' } },
  delete: { type: 'delete', object: 'Service/web' },
  patch: { type: 'patch', object: 'Cluster.example.com/web', patch: { spec: { paused: true } } },
  job: { type: 'job', undo: 'none' },
  'writing job': { type: 'job', volumesFrom: true, undo: 'none' },
  http: { type: 'http', url: 'http://example.test/', undo: 'none' },
};

function hooksOf(types: readonly string[]): object[] {
  return types.map((type, index) => ({ name: `one-${index}`, ...WORKS[type] }));
}

/** What rolls is never down. */
function planOfWorkload(one: WorkloadScene): Plan | undefined {
  const { driver, hops, running } = one;
  const isCluster = driver === 'kubernetes';
  const strategy = one.stopped.length > 0 ? 'recreate' : one.strategy;
  const data = isCluster ? undefined : one.data;
  const isDown = strategy === 'rolling' && data === 'stopped';
  const component = {
    ...{ name: 'web', targets: ['host-a'], dependsOn: [] },
    ...(isCluster ? { workload: { namespace: 'shop' } } : {}),
    ...(strategy === undefined || isDown ? {} : { strategy }),
    data: data === undefined ? undefined : { paths: ['/data'], consistency: data },
    hooks: {
      before: hooksOf(one.before),
      ...(one.stopped.length === 0 ? {} : { stopped: hooksOf(one.stopped) }),
      after: hooksOf(one.after),
    },
  };
  const versions = ['1.0', '2.0', '3.0'].slice(0, hops + 1);
  const last = versions.at(-1) ?? '';
  const endpoint = isCluster
    ? { endpoint: 'kubeconfig://a', credentials: { kubeconfig: 'env:LIFTLOCK_SECRET_A' } }
    : { endpoint: '/model' };
  const container = isCluster ? 'shop/Deployment/web' : 'web';
  const image = (version: string): string =>
    `registry.test/web:${version}@sha256:${version.replace('.', '').padEnd(64, '0')}`;
  const application = given.application([given.web(component as Parameters<typeof given.web>[0])]);
  const releases = versions.map((version) =>
    given.stored(given.release(version, { components: { web: { image: image(version) } } })),
  );
  const chain = upgradeChainDocument.parse({
    ...{ apiVersion: 'liftlock.dev/v1', kind: 'UpgradeChain', metadata: { name: 'shop' } },
    spec: {
      application: 'shop',
      supportedVersions: versions.map((version, index) => ({
        version,
        availableUpgrades: versions.slice(index + 1, index + 2),
      })),
    },
  });
  const seen = given.container(container, image('1.0'), {
    running,
    repoDigests: [image('1.0')],
  });
  return planOf(
    given.input({
      request: upgradeRequest.parse({
        ...{ environment: 'prod', application: 'shop', release: `shop-${last}` },
      }),
      environment: given.stored(
        given.environment({ targets: [{ name: 'host-a', driver, ...endpoint }] }),
      ),
      application: given.stored({
        ...application,
        spec: { ...application.spec, minNodes: 1, chains: ['shop'] },
      }),
      release: given.stored(given.release(last, { components: { web: { image: image(last) } } })),
      releases,
      chains: [given.stored(chain)],
      observations: [given.observed('host-a', [seen], versions.map(image).map(given.present))],
    }),
  );
}

describe('any plan of a workload', () => {
  const lanesOf = (plan: Plan) =>
    plan.hops.flatMap((hop) =>
      hop.waves.flatMap(({ lanes }) => lanes.map((lane) => ({ hop, lane }))),
    );

  it('does what is done while it is down between its stop and its start, and what rolls is never stopped', () => {
    let rolling = 0;
    fc.assert(
      fc.property(workload, (one) => {
        const plan = planOfWorkload(one);
        expect(plan).toBeDefined();
        if (plan === undefined) return;
        expect(plan.hops).toHaveLength(one.hops);
        for (const { lane } of lanesOf(plan)) {
          const at = (action: string) => lane.steps.findIndex((step) => step.action === action);
          const [stop, replace] = [at('instance.stop'), at('instance.replace')];
          const down = lane.steps.flatMap(({ id }, index) =>
            id.includes('/stopped-') ? [index] : [],
          );
          expect(down).toHaveLength(one.stopped.length);
          const rolls = lane.steps[replace]?.input['rolling'] === true;
          rolling += Number(rolls);
          expect(stop === -1).toBe(rolls);
          if (rolls) expect(down).toEqual([]);
          expect(down).toEqual(down.map((_, index) => replace - down.length + index));
          if (one.data === 'stopped' && one.driver === 'model' && down.length > 0)
            expect(at('data.snapshot')).toBeLessThan(down[0] ?? 0);
        }
      }),
      { numRuns: 200 },
    );
    expect(rolling).toBeGreaterThan(0);
  });

  it('goes back from any step, in any order that it allows, to what ran, on its data, with its objects as they were', () => {
    fc.assert(
      fc.property(workload, fc.array(fc.nat(), { minLength: 40 }), (one, drawn) => {
        const plan = planOfWorkload(one);
        if (plan === undefined) return;
        let draws = 0;
        const draw = (n: number): number => (drawn[(draws += 1) % drawn.length] ?? 0) % n;
        const way = lanesOf(plan);
        // a workload has its pods, ready or not
        const ran = one.running || one.driver === 'kubernetes';
        way.forEach(({ lane }, hop) => {
          for (const [index, { id }] of lane.steps.entries())
            expect([id, ...thereAndBack(way.slice(0, hop + 1), index, ran, draw)]).toEqual([id]);
        });
      }),
      { numRuns: 150 },
    );
  });
});
