import { describe, expect, it } from 'vitest';
import type { Observation, Plan } from '#contracts';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan, type PlanningInput } from './compute-plan.js';
import { extentOf } from './instances.js';
import { observeQuestions } from './observe-questions.js';
import { Problems } from './problems.js';

const DIGESTS = { '1.0': `sha256:${'1'.repeat(64)}`, '2.0': `sha256:${'2'.repeat(64)}` };
const image = (name: string, version: '1.0' | '2.0'): string =>
  `registry.test/${name}:${version}@${DIGESTS[version]}`;
const release = (version: '1.0' | '2.0') =>
  given.release(version, {
    components: { web: { image: image('web', version) }, db: { image: image('db', version) } },
  });

type Component = Parameters<typeof given.web>[0];
type Seen = Parameters<typeof given.container>[2];

const web = (more: Component = {}) =>
  given.web({
    ...{ targets: ['one'], data: undefined, checks: [], workload: { namespace: 'shop' } },
    ...more,
  });
const db = (more: Component = {}) =>
  given.db({
    ...{ targets: ['one'], container: undefined, checks: [] },
    workload: { namespace: 'shop', kind: 'StatefulSet', name: 'postgres' },
    ...more,
  });

function seen(container: string, reference: string, more: Seen = {}) {
  return given.container(container, reference, {
    ...{ imageId: undefined, repoDigests: [reference], mounts: [], replicas: 2 },
    ...more,
  });
}

function inputOf({
  components = [web(), db()],
  container = {},
  nodes = 3,
  more = {},
}: {
  readonly components?: Parameters<typeof given.application>[0];
  /** Of web. */
  readonly container?: Seen;
  readonly nodes?: number;
  readonly more?: Partial<Observation>;
} = {}): PlanningInput {
  return given.input({
    environment: given.stored(
      given.environment({
        targets: [
          {
            ...{ name: 'one', driver: 'kubernetes', endpoint: 'kubeconfig://one' },
            credentials: { kubeconfig: 'env:LIFTLOCK_SECRET_ONE' },
          },
        ],
      }),
    ),
    application: given.stored(given.application(components)),
    release: given.stored(release('2.0')),
    releases: [given.stored(release('1.0')), given.stored(release('2.0'))],
    observations: [
      {
        ...given.observed(
          'one',
          [
            seen('shop/Deployment/web', image('web', '1.0'), container),
            seen('shop/StatefulSet/postgres', image('db', '1.0')),
          ],
          [],
        ),
        nodes,
        ...more,
      },
    ],
  });
}

function planOf(about: Parameters<typeof inputOf>[0] = {}): Plan {
  const planned = computePlan(inputOf(about));
  if ('refused' in planned) throw planned.refused;
  return planned.ok;
}

function refusalOf(about: Parameters<typeof inputOf>[0]): string[] {
  const planned = computePlan(inputOf(about));
  if ('ok' in planned) throw new Error('it was planned');
  return (planned.refused.issues ?? []).map(({ pointer, message }) => `${pointer}: ${message}`);
}

const laneOf = (plan: Plan, component: string) =>
  plan.hops.flatMap(({ waves }) =>
    waves.flatMap(({ lanes }) => lanes.filter((lane) => lane.component === component)),
  )[0];
const backOf = (plan: Plan, component: string) =>
  plan.hops.flatMap(({ compensation }) =>
    compensation.filter((step) => step.component === component),
  );

const MERGE = { type: 'merge' as const, object: 'ConfigMap/web', data: { KEY: 'value' } };

describe('a workload of a cluster', () => {
  it('rolls where nothing has to be stopped, is known by its UID, and by the digest that its pods tell', () => {
    const plan = planOf();
    const lane = laneOf(plan, 'web');
    expect(lane?.steps.map(({ action }) => action)).toEqual(['instance.replace', 'instance.check']);
    expect(lane?.steps[0]?.input).toMatchObject({
      ...{ container: 'shop/Deployment/web', containerId: 'id-of-shop/Deployment/web' },
      ...{ keptName: 'shop/ConfigMap/liftlock-deployment-web', rolling: true },
      image: { reference: image('web', '2.0'), digest: image('web', '2.0') },
    });
    // an answer to another check may be an old pod's
    expect(lane?.steps[1]?.input).toMatchObject({
      ...{ check: { type: 'health' }, imageDigest: image('web', '2.0') },
    });
    const [unchanged] = plan.prepare.filter(({ action }) => action === 'instance.assert-unchanged');
    expect(unchanged?.input).toMatchObject({ imageReference: image('db', '1.0'), running: true });
    expect(unchanged?.input).not.toHaveProperty('imageId');
    expect(backOf(plan, 'web').map(({ action }) => action)).toEqual([
      ...['instance.restore-old', 'instance.check', 'instance.remove-new'],
    ]);
    expect(plan.observed[0]).toMatchObject({ version: '1.0', imageId: image('web', '1.0') });
  });

  it('is recreated where the document says so, or where something is done while it is down', () => {
    const declared = planOf({ components: [web({ strategy: 'recreate' }), db()] });
    const hooked = planOf({
      components: [web({ hooks: { stopped: [{ ...MERGE, name: 'settings' }] } }), db()],
    });
    for (const plan of [declared, hooked]) {
      const [stop] = laneOf(plan, 'web')?.steps ?? [];
      expect(stop).toMatchObject({
        action: 'instance.stop',
        input: { keptName: 'shop/ConfigMap/liftlock-deployment-web' },
      });
      expect(backOf(plan, 'web').map(({ action }) => action)).toContain('instance.stop-new');
    }
    // its pods are gone by then: none could be seen to have an image
    const [object] = laneOf(hooked, 'web')?.steps.slice(1) ?? [];
    expect(object).toMatchObject({
      ...{ action: 'hook.object', repeatable: true, undo: 'inverse' },
      input: { namespace: 'shop', work: MERGE, recorded: true },
    });
    expect(hooked.finalize.map(({ action }) => action)).toContain('hook.forget-objects');
  });

  it('rolls back before what it depends on goes, and what is recreated comes up behind that', () => {
    const rolling = planOf({ components: [web(), db({ strategy: 'recreate' })] });
    const orderOf = (component: string) =>
      Object.fromEntries(
        backOf(rolling, component).flatMap(({ action, order }) =>
          order === undefined ? [] : [[action, `${order.tier} ${order.way}`]],
        ),
      );
    expect(orderOf('web')).toEqual({ 'instance.restore-old': '1 down', 'instance.check': '1 up' });
    expect(orderOf('db')).toEqual({
      ...{ 'instance.stop-new': '0 down', 'instance.restore-old': '0 up' },
      'instance.check': '0 up',
    });
  });

  it('that an upgrade brought by a tag is known by that, though its template has the digest', () => {
    const imageReference = `registry.example/web@${given.idOf('mirrored')}`;
    const container = { imageReference, repoDigests: [imageReference] };
    const from = (more: Seen): string | undefined =>
      planOf({ container: { ...container, ...more } }).changes.find(
        ({ component }) => component === 'web',
      )?.from;
    expect(from({ broughtAs: image('web', '1.0') })).toBe('1.0');
    expect(from({})).toBe('unknown');
  });

  it('that is scaled to zero gets its new version, and nothing is checked that does not run', () => {
    const plan = planOf({ container: { running: false, replicas: 0, repoDigests: [] } });
    expect(laneOf(plan, 'web')?.steps.map(({ action }) => action)).toEqual(['instance.replace']);
    expect(backOf(plan, 'web').map(({ action }) => action)).not.toContain('instance.check');
    expect(plan.bakeChecks.map(({ component }) => component)).toEqual(['db']);
    expect(plan.warnings.join()).toContain('web@one is scaled to zero, and stays so');
  });

  it('of which no pod is ready is checked when it is new, and has as many pods as before when it is old again', () => {
    const plan = planOf({ container: { running: false } });
    expect(laneOf(plan, 'web')?.steps.map(({ action }) => action)).toContain('instance.check');
    const [restored] = backOf(plan, 'web');
    expect(restored?.input).toMatchObject({ start: true });
    expect(backOf(plan, 'web').map(({ action }) => action)).not.toContain('instance.check');
    expect(plan.warnings.join()).toContain('web@one has no pod that is ready');
  });

  it('is asked about with its records, whatever hop they are of', () => {
    const { request, documents } = inputOf();
    const extent = extentOf(request, documents, new Problems());
    const [question] = extent === undefined ? [] : observeQuestions(extent);
    expect(question?.containers).toEqual([
      'shop/ConfigMap/liftlock-deployment-web',
      'shop/ConfigMap/liftlock-statefulset-postgres',
      'shop/Deployment/web',
      'shop/StatefulSet/postgres',
    ]);
  });

  it('belongs to one component alone: its containers change together', () => {
    const sidecar = db({ workload: { namespace: 'shop', name: 'web', container: 'log' } });
    expect(refusalOf({ components: [web(), sidecar] }).join()).toContain(
      'web@one and db@one are the same Deployment shop/web',
    );
  });

  it('is named where it is not there, and where it is not said which it is', () => {
    expect(
      refusalOf({ components: [web({ workload: { namespace: 'test' } }), db()] })[0],
    ).toContain('there is no Deployment test/web on one for web@one: apply its manifests once');
    expect(refusalOf({ components: [web({ workload: undefined }), db()] })[0]).toMatch(
      /components\/0\/workload: web runs on one, which is a Kubernetes cluster/,
    );
  });

  it('is taken from its owner where the document says so, and a person is told', () => {
    const owner = 'helm:shop/web';
    expect(refusalOf({ container: { owner } })[0]).toContain('the Helm release shop/web');
    const taken = web({ workload: { namespace: 'shop', owner: 'taken' } });
    const plan = planOf({ components: [taken, db()], container: { owner } });
    expect(plan.warnings.join()).toContain('web@one belongs to the Helm release shop/web');
  });

  it('wants two nodes, or as many as the document says; where nobody can tell, a person is told', () => {
    expect(refusalOf({ nodes: 1 })[0]).toContain('one has one node that takes pods');
    expect(planOf({ more: { nodes: undefined } }).warnings.join()).toContain(
      'how many nodes one has',
    );
  });
});

describe('what is done to objects of a cluster', () => {
  const hook = (more: object) =>
    [web({ hooks: { before: [{ name: 'one', ...more }] } } as Component), db()] as const;

  it('that is applied is pinned by what was built when the cluster was looked at', () => {
    const components = [...hook({ type: 'apply', path: '/srv/web' })];
    const digest = `sha256:${'a'.repeat(64)}`;
    const answer = { path: '/srv/web', namespace: 'shop', objects: [] };
    const plan = planOf({ components, more: { manifests: [{ ...answer, digest }] } });
    expect(laneOf(plan, 'web')?.steps[0]?.input).toMatchObject({ digest });
    const problem = 'it is not there';
    const refused = refusalOf({ components, more: { manifests: [{ ...answer, problem }] } });
    expect(refused[0]).toMatch(
      /hooks\/before\/0: .*\/srv\/web cannot be applied to one: it is not there/,
    );
    const { request, documents } = inputOf({ components });
    const extent = extentOf(request, documents, new Problems());
    expect(extent && observeQuestions(extent)[0]?.manifests).toEqual([
      { path: '/srv/web', namespace: 'shop' },
    ]);
  });

  it('takes as long as its deadline, and a little more', () => {
    const until = { condition: 'Ready' };
    const patch = { type: 'patch', object: 'Cluster.example.com/web', patch: {}, until };
    const plan = planOf({ components: [...hook({ ...patch, deadlineSeconds: 900 })] });
    expect(laneOf(plan, 'web')?.steps[0]?.timeoutSeconds).toBe(960);
  });

  it('is put back before the old version reads it, stays, or is taken back by a hook of its own', () => {
    const actionsOf = (more: object) =>
      backOf(planOf({ components: [...hook({ ...MERGE, ...more })] }), 'web').map(
        ({ action }) => action,
      );
    expect(actionsOf({}).slice(0, 2)).toEqual(['hook.object-back', 'instance.restore-old']);
    expect(actionsOf({ undo: 'none' })).not.toContain('hook.object-back');
    expect(actionsOf({ undo: { ...MERGE, data: { KEY: null } } })).toContain('hook.object');
    const final = planOf({ components: [...hook({ ...MERGE, irreversible: true })] });
    expect(laneOf(final, 'web')?.steps[0]).toMatchObject({
      ...{ undo: 'irreversible', input: { recorded: false } },
    });
  });

  it('keeps which nodes were cordoned, also where nothing takes that back: it is what is uncordoned later', () => {
    const nodes = { names: ['node-1'] };
    const plan = planOf({ components: [...hook({ type: 'drain', nodes, undo: 'none' })] });
    expect(laneOf(plan, 'web')?.steps[0]?.input).toMatchObject({ recorded: true });
    expect(backOf(plan, 'web').map(({ action }) => action)).not.toContain('hook.object-back');
  });

  it('once for the whole application, and put back before any old version starts', () => {
    const { documents, ...rest } = inputOf();
    const application = documents.application?.document;
    if (application === undefined) throw new Error('there is one');
    const withHooks = given.application([web(), db()]);
    const hooks = {
      before: [
        { ...MERGE, ...{ name: 'settings', namespace: 'common', timeoutSeconds: 300, retries: 0 } },
      ].map((one) => ({ ...one, instance: { component: 'web' } })),
      after: [],
      onRollback: [],
    };
    const planned = computePlan({
      ...rest,
      documents: {
        ...documents,
        application: given.stored({ ...withHooks, spec: { ...withHooks.spec, hooks } }),
      },
    });
    if ('refused' in planned) throw planned.refused;
    const { applicationHooks, finalize } = planned.ok;
    expect(applicationHooks?.before).toMatchObject([
      { action: 'hook.object', input: { namespace: 'common', recorded: true } },
    ]);
    expect(applicationHooks?.undoAfter).toMatchObject([
      { action: 'hook.object-back', when: ['application/before-settings'] },
    ]);
    expect(applicationHooks?.onceBack).toEqual([]);
    expect(finalize.filter(({ action }) => action === 'hook.forget-objects')).toMatchObject([
      { input: { namespaces: ['common', 'shop'] }, when: ['application/before-settings'] },
    ]);
  });
});

describe('on a Docker Engine', () => {
  const refusal = (...components: Parameters<typeof given.application>[0] & object): string => {
    const planned = computePlan(
      given.input({ application: given.stored(given.application(components)) }),
    );
    if ('ok' in planned) throw new Error('it was planned');
    return (planned.refused.issues ?? [])
      .map(({ pointer, message }) => `${pointer}: ${message}`)
      .join('\n');
  };

  it.each([
    [{ workload: { namespace: 'shop' } }, /components\/0\/workload: web runs on host-a, which is/],
    [{ strategy: 'rolling', data: undefined }, /components\/0\/strategy: .*leave strategy out/],
    [
      { hooks: { before: [{ ...MERGE, name: 'one' }] } },
      /hooks\/before\/0\/type: the hook one is about objects of a Kubernetes cluster \(merge\)/,
    ],
    [
      { hooks: { after: [{ type: 'job', name: 'one', undo: { ...MERGE } }] } },
      /hooks\/after\/0\/undo\/type: the hook one/,
    ],
  ])('%j is refused', (more, message) => {
    expect(refusal(given.web(more as Component), given.db())).toMatch(message);
  });

  it('a hook is done while a container is stopped, as anywhere: a job may have its volumes', () => {
    const stopped = [{ type: 'job' as const, name: 'migrate', volumesFrom: true }];
    const hooks = { stopped: stopped.map((one) => ({ ...one, undo: 'none' as const })) };
    const components = [given.web({ hooks }), given.db()];
    const planned = computePlan(
      given.input({ application: given.stored(given.application(components)) }),
    );
    if ('refused' in planned) throw planned.refused;
    const lane = laneOf(planned.ok, 'web');
    expect(lane?.steps.map(({ action }) => action).slice(0, 4)).toEqual([
      ...['instance.stop', 'data.snapshot', 'hook.job', 'instance.replace'],
    ]);
    // the old container is still there, and must be the one
    expect(lane?.steps[2]?.input).toMatchObject({ imageId: given.idOf('web:1.0') });
    const [restore] = backOf(planned.ok, 'web').filter(({ action }) => action === 'data.restore');
    expect(restore?.when).toEqual([`${lane?.id}/stopped-migrate`, `${lane?.id}/3-replace`]);
  });
});
