import { describe, expect, it } from 'vitest';
import { serviceTemplateChainDocument, templateId, type Plan } from '#contracts';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan, type PlanningInput } from './compute-plan.js';

type Component = Parameters<typeof given.web>[0];
type Seen = Parameters<typeof given.container>[2];

const VERSIONS = ['1.0', '2.0', '3.0'];
const PLACE = 'tenant/ClusterDeployment/one/web-system/web';
const name = (version: string): string => `web-${version}`;
const reference = (version: string): string => `ServiceTemplate/${name(version)}`;

function chain(of: string, edges: ReadonlyArray<readonly [string, string]>) {
  return given.stored(
    serviceTemplateChainDocument.parse({
      apiVersion: 'k0rdent.mirantis.com/v1beta1',
      kind: 'ServiceTemplateChain',
      metadata: { name: of },
      spec: {
        supportedTemplates: VERSIONS.map((version) => ({
          name: name(version),
          availableUpgrades: edges.flatMap(([from, to]) =>
            from === version ? { name: name(to) } : [],
          ),
        })),
      },
    }),
  );
}
const UP = chain('up', [
  ['1.0', '2.0'],
  ['2.0', '3.0'],
  ['1.0', '3.0'],
]);
const DOWN = chain('down', [
  ['3.0', '2.0'],
  ['2.0', '1.0'],
]);

function inputOf({
  component = {},
  container = {},
  chains = [UP, DOWN],
  wanted = {},
  missing,
  beside = [],
}: {
  readonly component?: Component;
  /** Services with the same templates, each with what it has otherwise than web. */
  readonly beside?: ReadonlyArray<Component & { readonly name: string }>;
  readonly container?: Seen;
  readonly chains?: ReadonlyArray<typeof UP>;
  /** Of the release to go to, besides its template. */
  readonly wanted?: object;
  /** A template that is not there. */
  readonly missing?: string;
} = {}): PlanningInput {
  const service = { namespace: 'tenant', object: 'ClusterDeployment/one' };
  const releases = VERSIONS.map((version) =>
    given.stored(
      given.release(version, {
        components: {
          web: { image: reference(version), ...(version === '3.0' ? wanted : {}) },
          ...Object.fromEntries(beside.map((one) => [one.name, { image: reference(version) }])),
        },
      }),
    ),
  ).map(({ document }) =>
    given.stored({
      ...document,
      metadata: { ...document.metadata, name: name(document.spec.version) },
    }),
  );
  const application = given.application(
    [component, ...beside].map((one) =>
      given.web({
        ...{ targets: ['management'], dependsOn: [], data: undefined, checks: [] },
        service: { ...service, releaseNamespace: 'web-system' },
        ...one,
      }),
    ),
  );
  const input = given.input({
    environment: given.stored(
      given.environment({
        targets: [
          {
            ...{ name: 'management', driver: 'kubernetes', endpoint: 'kubeconfig://one' },
            credentials: { kubeconfig: 'env:LIFTLOCK_SECRET_ONE' },
          },
        ],
      }),
    ),
    application: given.stored({
      ...application,
      spec: { ...application.spec, chains: chains.map(({ document }) => document.metadata.name) },
    }),
    release: releases[2],
    releases,
    chains,
    observations: [
      given.observed(
        'management',
        [
          given.container(PLACE, reference('1.0'), {
            ...{ imageId: templateId(name('1.0')), repoDigests: [], mounts: [] },
            ...container,
          }),
        ],
        // answered in the order of the questions: the release that is asked for goes first
        ['3.0', '1.0', '2.0'].map((version) => ({
          ...{ reference: reference(version), repoDigests: [] },
          ...(version === missing
            ? { present: false as const, problem: 'there is none in tenant' }
            : { present: true as const, id: templateId(name(version)) }),
        })),
      ),
    ],
  });
  return { ...input, request: { ...input.request, release: name('3.0') } };
}

function planOf(about: Parameters<typeof inputOf>[0] = {}): Plan {
  const planned = computePlan(inputOf(about));
  if ('refused' in planned) throw planned.refused;
  return planned.ok;
}

function refusalOf(about: Parameters<typeof inputOf>[0]): string {
  const planned = computePlan(inputOf(about));
  if ('ok' in planned) throw new Error('it was planned');
  return (planned.refused.issues ?? [])
    .map(({ pointer, message }) => `${pointer}: ${message}`)
    .join('\n');
}

describe('a service of k0rdent', () => {
  it('goes hop by hop, each by the chain that has its edge, with no image to bring and no node to count', () => {
    const plan = planOf();
    expect(plan.prepare.map(({ action }) => action)).toEqual(['instance.assert-unchanged']);
    const replaced = plan.hops.flatMap(({ waves }) =>
      waves.flatMap(({ lanes }) => lanes.flatMap(({ steps }) => steps)),
    );
    expect(replaced.map(({ action }) => action)).toEqual(
      [1, 2].flatMap(() => ['instance.replace', 'instance.check']),
    );
    expect(replaced[2]?.input).toMatchObject({
      container: PLACE,
      image: { reference: reference('3.0'), id: templateId(name('3.0')) },
      keptName: 'tenant/ConfigMap/liftlock-h2-clusterdeployment-one.web-system.web',
      chain: 'up',
      rolling: true,
    });
    expect(plan.warnings).toEqual([]);
  });

  it('goes back hop by hop, too, each by the chain that leads down', () => {
    const plan = planOf();
    const back = plan.hops.map(({ compensation }) =>
      compensation
        .filter(({ action }) => action === 'instance.restore-old')
        .map(({ input, destinationOnly }) => ({
          ...{ chain: input['chain'], start: input['start'], destinationOnly },
        })),
    );
    const step = { chain: 'down', start: true };
    expect(back).toEqual([
      [{ ...step, destinationOnly: true }],
      [
        { ...step, destinationOnly: false },
        { ...step, destinationOnly: true },
      ],
    ]);
  });

  it('is not waited for on the way back where it was not deployed', () => {
    const plan = planOf({ container: { running: false } });
    const [restore] = plan.hops[0]?.compensation ?? [];
    expect(restore?.input).toMatchObject({ start: false });
    expect(plan.warnings).toContainEqual(expect.stringContaining('it is not waited until'));
  });

  it('goes in waves over the clusters of a MultiClusterService, each checked before the next', () => {
    const service = {
      ...{ namespace: 'tenant', object: 'MultiClusterService/one', releaseNamespace: 'web-system' },
      waves: [{ ring: 'canary' }, { ring: 'early' }],
    };
    const container = { container: PLACE.replace('ClusterDeployment', 'MultiClusterService') };
    const plan = planOf({ component: { service }, container });
    const [lane] = plan.hops[0]?.waves[0]?.lanes ?? [];
    expect(
      lane?.steps.map(({ id, action, input }) => [id.split('/').at(-1), action, input['clusters']]),
    ).toEqual([
      ['1-replace', 'instance.replace', { ring: 'canary' }],
      ['2-check', 'instance.check', undefined],
      ['3-replace', 'instance.replace', { ring: 'early' }],
      ['4-check', 'instance.check', undefined],
      ['5-replace', 'instance.replace', undefined],
      ['6-check', 'instance.check', undefined],
    ]);
    expect(lane?.steps[2]?.title).toContain('in clusters with ring=early');
    // whichever of them has begun: the first was
    expect(plan.hops[0]?.compensation[0]?.when).toEqual([lane?.steps[0]?.id]);
    expect(
      refusalOf({ component: { service: { ...service, object: 'ClusterDeployment/one' } } }),
    ).toMatch(/service: web is a service of one cluster: leave waves out/);
  });

  it('is refused where two services of one MultiClusterService go, and one of them in waves', () => {
    const of = (object: string) => ({
      service: { namespace: 'tenant', object, releaseNamespace: 'web-system' },
    });
    const { service } = of('MultiClusterService/one');
    const component = { service: { ...service, waves: [{ ring: 'canary' }] } };
    const beside = (object: string) => ({ component, beside: [{ name: 'api', ...of(object) }] });
    expect(refusalOf(beside('MultiClusterService/one'))).toMatch(
      /web@management goes in waves, for which the selector of MultiClusterService\/one is narrowed, and api@management is a service of it, too/,
    );
    // for want of an observation of what runs: nothing else is in its way
    expect(refusalOf(beside('MultiClusterService/other'))).not.toContain('goes in waves');
  });

  it('says which hops have no chain that leads back', () => {
    expect(planOf({ chains: [UP] }).warnings).toEqual([
      expect.stringContaining('no chain leads web@management from 2.0 back to 1.0'),
      expect.stringContaining('no chain leads web@management from 3.0 back to 2.0'),
    ]);
  });

  it.each<[string, Parameters<typeof inputOf>[0], RegExp]>([
    [
      'no way',
      { chains: [DOWN] },
      /service web-system\/web can't be upgraded from web-1\.0 to web-3\.0: /,
    ],
    [
      'no template',
      { missing: '2.0' },
      /ServiceTemplate\/web-2\.0 is not on management \(there is none in tenant\)/,
    ],
    ['an image', { wanted: { image: 'web:3.0' } }, /web:3\.0 is no template/],
    ['env', { wanted: { env: { A: '1' } } }, /which takes neither env nor command/],
    ['recreate', { component: { strategy: 'recreate' } }, /strategy: web is deployed by k0rdent/],
    [
      'a workload, too',
      { component: { workload: { namespace: 'tenant' } } },
      /service: web is a workload, and a service/,
    ],
    [
      'a check of pods',
      { component: { checks: [{ type: 'running' }] } },
      /checks\/0\/type: the running check of web is of pods/,
    ],
    [
      'a job',
      { component: { hooks: { before: [{ name: 'one', type: 'job', undo: 'none' }] } } },
      /the hook one is a job beside pods/,
    ],
    [
      'an owner',
      { container: { owner: 'helm:tenant/clusters' } },
      /service web-system\/web of ClusterDeployment tenant\/one on management belongs to the Helm release tenant\/clusters.*`service\.owner: taken`/,
    ],
  ])('is refused: %s', (_why, about, message) => {
    expect(refusalOf(about)).toMatch(message);
  });
});
