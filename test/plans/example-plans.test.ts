import { describe, expect, it } from 'vitest';
import { digestOf, LiftlockError } from '#kernel';
import { plan as planSchema, type LiftlockDocument, type Observation, type Plan } from '#contracts';
import { NO_COLOURS } from '../../apps/cli/src/show/colours.js';
import { compensationInOrder } from '../../apps/cli/src/show/plan-changes.js';
import { showPlan } from '../../apps/cli/src/show/plan-formats.js';
import { computePlan, type PlanningInput } from '../../apps/planner/src/domain/compute-plan.js';
import { upgradePathsOf, extentOfAll } from '../../apps/planner/src/domain/upgrade-paths.js';
import { absent, archivesIn, changed, documentsIn, observationsIn, recorded } from './recorded.js';
import { reviewable } from './shown.js';

/*
 * The plans of the five examples, as people read them, reviewed line by line. After a change that is meant: run this file with
 * `--update`, and review what `git diff test/plans/golden` shows.
 */

function planned(input: PlanningInput): Plan {
  const found = computePlan(input);
  if ('refused' in found) throw found.refused;
  // as whoever runs it reads it
  return planSchema.parse(JSON.parse(JSON.stringify(found.ok)));
}

/** Of what is in the way, as much as is reviewed. */
const SHOWN = 4;

function refusal(input: PlanningInput): string {
  const found = computePlan(input);
  if (!('refused' in found)) throw new Error('it was planned');
  expect(found.refused).toBeInstanceOf(LiftlockError);
  const issues = (found.refused.issues ?? []).map(
    ({ pointer, message }) => `${pointer}: ${message}`,
  );
  const more = issues.length > SHOWN ? [`and ${issues.length - SHOWN} more`] : [];
  return `${[found.refused.code, ...issues.slice(0, SHOWN), ...more].join('\n')}\n`;
}

/** @param hasCommands whether a person could follow the runbook: its commands are Docker's. */
async function agreesWithGolden(name: string, plan: Plan, hasCommands: boolean): Promise<void> {
  const at = (extension: string): string => `./golden/${name}.${extension}`;
  await expect(reviewable(plan)).toMatchFileSnapshot(at('json'));
  expect(digestOf(JSON.parse(reviewable(plan)))).toBe(digestOf(plan));
  await expect(`${showPlan(plan, 'text', NO_COLOURS)}\n`).toMatchFileSnapshot(at('txt'));
  await expect(showPlan(plan, 'markdown', NO_COLOURS)).toMatchFileSnapshot(at('md'));
  if (hasCommands)
    await expect(showPlan(plan, 'runbook', NO_COLOURS)).toMatchFileSnapshot(at('runbook.md'));
}

const withoutMirror = ({ mirror: _mirror, ...spec }: Record<string, unknown>): object => spec;

/** Components in the order in which they are upgraded. */
const orderOf = (plan: Plan): string[] =>
  plan.hops.flatMap(({ waves }) =>
    waves.flatMap(({ lanes }) => lanes.map(({ component }) => component)),
  );

describe('A, Intel SecL', () => {
  const documents = documentsIn('examples/isecl/documents');
  const observations = observationsIn('test/plans/isecl/observations.yaml');
  const archives = archivesIn('test/plans/isecl/archives.yaml', documents);
  const input = (all: readonly LiftlockDocument[] = documents, seen = observations) => ({
    ...recorded(all, seen, { release: 'isecl-4.0' }),
    examined: archives,
  });

  it('goes tier by tier, one service at a time, and what kbs needed besides is put back before the old kbs starts', async () => {
    const plan = planned(input());
    const order = orderOf(plan);
    const tiers = [
      ['scs-db', 'shvs-db', 'cms', 'aas'],
      ['scs', 'shvs'],
      ['sqvs', 'kbs', 'sgx-agent'],
      ['isecl-controller', 'ihub', 'isecl-scheduler'],
    ];
    expect(order).toEqual(tiers.flat());
    expect(plan.hops.flatMap(({ waves }) => waves.map(({ parallelism }) => parallelism))).toEqual(
      tiers.map(() => 1),
    );
    const [kbs] = plan.hops.flatMap(({ waves }) =>
      waves.flatMap(({ lanes }) => lanes.filter(({ component }) => component === 'kbs')),
    );
    expect(kbs?.steps.map(({ action }) => action)).toEqual([
      ...['instance.stop', 'data.snapshot', 'hook.object', 'hook.object', 'hook.job'],
      ...['instance.replace', 'instance.check'],
    ]);
    // read before anything of kbs is changed, whatever runs by then
    expect(kbs?.steps[4]?.input).toMatchObject({ work: { env: { COMPONENT_VERSION: 'v3.6.0' } } });
    const back = plan.hops.flatMap(({ compensation }) => compensation);
    const ofKbs = back.filter(({ component }) => component === 'kbs');
    const [secret, config] = ofKbs.filter(({ action }) => action === 'hook.object-back');
    expect([secret, config].map((step) => step?.input['work'])).toMatchObject([
      { object: 'Secret/kbs-secret' },
      { object: 'ConfigMap/kbs-config' },
    ]);
    const [restored] = ofKbs.filter(({ action }) => action === 'instance.restore-old');
    expect(config?.after).toContain(secret?.id);
    expect(restored?.after).toEqual(expect.arrayContaining([secret?.id, config?.id]));
    await agreesWithGolden('isecl', plan, true);
  });

  it('brings back the data of its one share when all is down, that of the databases first, and nothing comes up before', () => {
    const [back = []] = planned(input()).hops.map((hop) => compensationInOrder(hop));
    const at = (action: string): number[] =>
      back.flatMap((step, index) => (step.action === action ? [index] : []));
    const restores = at('data.restore');
    const onShare = ['scs-db', 'shvs-db', 'cms', 'aas', 'scs', 'shvs', 'sqvs', 'kbs', 'ihub'];
    expect(restores.map((index) => back[index]?.component)).toEqual(onShare);
    expect(restores.map((index) => back[index]?.input)).toMatchObject(
      onShare.map((name) => ({ folder: '/mnt/nfs/isecl', paths: [`/${name}`] })),
    );
    expect(Math.min(...restores)).toBeGreaterThan(Math.max(...at('instance.stop-new')));
    expect(Math.max(...restores)).toBeLessThan(Math.min(...at('instance.restore-old')));
  });

  it('is refused where major versions may not meet, on a single node, from its owner, and with folders of the share within one another', async () => {
    const ofComponents = (change: (component: Record<string, unknown>) => object) =>
      changed(documents, 'Application', (spec) => ({
        ...spec,
        components: (spec['components'] as Array<Record<string, unknown>>).map(change),
      }));
    const seenWith = (change: (seen: Observation) => Observation) =>
      input(documents, observations.map(change));
    const cases: Array<[string, PlanningInput]> = [
      [
        'without coordinatedMajor',
        input(changed(documents, 'Application', (spec) => ({ ...spec, coordinatedMajor: false }))),
      ],
      ['one node', seenWith((seen) => ({ ...seen, nodes: 1 }))],
      [
        'owned by Helm, Argo CD and Flux',
        seenWith((seen) => ({
          ...seen,
          containers: seen.containers.map((one, index) => ({
            ...one,
            owner: ['helm:isecl/isecl', 'argocd:isecl', 'flux:Kustomization/isecl/isecl'][index],
          })),
        })),
      ],
      [
        'an upgrade that was never finished',
        seenWith((seen) => ({
          ...seen,
          containers: [
            ...seen.containers,
            { ...absent('isecl/ConfigMap/liftlock-deployment-cms-deployment'), found: true },
          ],
        })),
      ],
      [
        'with folders of the share within one another',
        input(
          ofComponents((one) =>
            one['name'] === 'kbs'
              ? { ...one, data: { folder: '/mnt/nfs/isecl', paths: ['/kbs', '/cms/config'] } }
              : one['name'] === 'aas'
                ? { ...one, data: { folder: '/mnt/nfs', paths: ['/isecl/kbs'] } }
                : one,
          ),
        ),
      ],
      [
        'by hooks and fields of Docker',
        input(
          ofComponents((one) =>
            one['name'] === 'cms'
              ? {
                  ...one,
                  container: 'cms',
                  files: [{ path: '/etc/cms/once', content: 'x' }],
                  data: {
                    ...{ paths: ['/data'], consistency: 'paused' },
                    hooks: { before: { type: 'command', command: ['sync'] } },
                  },
                  hooks: {
                    before: [
                      {
                        ...{ name: 'note', type: 'edit', path: '/etc/cms/conf' },
                        replace: [{ line: 'a', with: 'b' }],
                      },
                    ],
                  },
                }
              : one,
          ),
        ),
      ],
      ['without the mirror', input(changed(documents, 'Environment', withoutMirror))],
    ];
    const told = cases.map(([name, one]) => `# ${name}\n${refusal(one)}`).join('\n');
    await expect(told).toMatchFileSnapshot('./golden/isecl-refusals.txt');
  });
});

describe('B, Constellation', () => {
  const documents = documentsIn('test/plans/constellation/documents.yaml');
  const observations = observationsIn('test/plans/constellation/observations.yaml');

  it('expands the bundle, and shows every component, also the one that stays', async () => {
    const plan = planned(recorded(documents, observations, { release: 'constellation-2.2.0' }));
    const changes = Object.fromEntries(
      plan.changes.map(({ component, from, to, updated }) => [component, { from, to, updated }]),
    );
    // as the seed prints them
    expect(changes).toMatchObject({
      autoscaler: { from: '1.24.3', to: '1.24.3', updated: false },
      'cloud-controller-manager': { from: '1.24.5', to: '1.24.8', updated: true },
      'cloud-node-manager': { from: '1.24.1', to: '1.24.2', updated: true },
      kms: { from: '2.1.3', to: '2.2.0', updated: true },
    });
    await agreesWithGolden('constellation', plan, false);
  });

  it('Kubernetes itself, which is files of nodes, is refused until nodes are targets', async () => {
    const kubernetes = changed(documents, 'Application', (spec) => ({
      ...spec,
      components: [
        { name: 'kubernetes', targets: ['cluster'] },
        ...(spec['components'] as readonly object[]),
      ],
    }));
    const url = 'https://dl.example.com/v1.24.3/bin/linux/amd64/kubeadm';
    const withFiles = changed(kubernetes, 'Release', (spec) => ({
      ...spec,
      bundle: { ...(spec['bundle'] as object), kubernetes: '1.24.3' },
      artifacts: {
        ...(spec['artifacts'] as object),
        kubernetes: {
          '1.24.3': { files: { kubeadm: { url, sha256: `sha256sum:${'0'.repeat(64)}` } } },
        },
      },
    }));
    const input = recorded(withFiles, observations, { release: 'constellation-2.2.0' });
    await expect(refusal(input)).toMatchFileSnapshot('./golden/constellation-refusals.txt');
  });
});

describe('C, SCS', () => {
  const documents = documentsIn('test/plans/scs/documents.yaml');
  const observations = observationsIn('test/plans/scs/observations.yaml');

  it('a new release goes through all services in the order of the document, host by host', async () => {
    // the images of a security release are, but for one, those that run
    const regular = documents.filter(({ metadata }) => !metadata.name.includes('cve'));
    const plan = planned(recorded(regular, observations, { release: 'scs-8.1.0' }));
    const [application] = documents.filter((one) => one.kind === 'Application');
    const written = application?.spec.components.map(({ name }) => name) ?? [];
    expect([...new Set(orderOf(plan))]).toEqual(written);
    await agreesWithGolden('scs-release', plan, true);
  });

  it('a security update touches one service on one group of hosts, and nothing else', async () => {
    const release = 'scs-8.0.1-cve-2024-40767';
    const plan = planned(recorded(documents, observations, { release }));
    expect(plan.hops.flatMap(({ waves }) => waves.flatMap(({ lanes }) => lanes))).toMatchObject([
      { instance: 'nova@cmp-1' },
      { instance: 'nova@cmp-2' },
      { instance: 'nova@cmp-3' },
    ]);
    expect(plan.targets.map(({ name }) => name)).toEqual(['cmp-1', 'cmp-2', 'cmp-3']);
    await agreesWithGolden('scs-security', plan, true);
  });
});

describe('D, Lightwave', () => {
  it('one replica at a time; the file with the password goes on every way; the old image is known by its id', async () => {
    const documents = documentsIn('examples/lightwave/documents');
    const observations = observationsIn('test/plans/lightwave/observations.yaml');
    const plan = planned(recorded(documents, observations, { release: 'lightwave-1.1.0' }));
    expect(plan.policy.scope).toBe('instance');
    expect(plan.brackets).toMatchObject([
      { duringRollback: false, release: { action: 'file.remove' } },
      { duringRollback: false, release: { action: 'file.remove' } },
    ]);
    const back = plan.hops.flatMap(({ compensation }) => compensation);
    const looks = back.filter(({ action }) => action === 'instance.check');
    expect(looks.map(({ input }) => input['imageId'])).toEqual(
      plan.observed.map(({ imageId }) => imageId),
    );
    await agreesWithGolden('lightwave', plan, true);
  });
});

describe('E, k0rdent', () => {
  const documents = documentsIn('examples/k0rdent/documents');
  const at = (version: string) => observationsIn(`test/plans/k0rdent/observations-${version}.yaml`);
  const byChains = (...chains: string[]): LiftlockDocument[] =>
    changed(documents, 'Application', (spec) => ({ ...spec, chains }));
  const template = (version: string): string => `ingress-nginx-${version.replaceAll('.', '-')}`;
  const hopsOf = ({ hops }: Plan): string[] => hops.map(({ from, to }) => `${from} --> ${to}`);

  it('goes up by the chain of the documentation', async () => {
    const up = byChains('ingress-nginx-chain');
    const plan = planned(recorded(up, at('4.11.3'), { release: template('4.11.5') }));
    expect(hopsOf(plan)).toEqual(['4.11.3 --> 4.11.5']);
    expect(plan.warnings).toContainEqual(expect.stringContaining('no chain leads'));
    await agreesWithGolden('k0rdent-up', plan, true);
  });

  it('goes down by a chain of its own name, once the application names it', async () => {
    const down = byChains('ingress-nginx-rollback-chain');
    const plan = planned(recorded(down, at('4.11.5'), { release: template('4.11.3') }));
    expect(hopsOf(plan)).toEqual(['4.11.5 --> 4.11.3']);
    await agreesWithGolden('k0rdent-down', plan, true);
  });

  it('walks every version on the way, though an edge leads straight past', async () => {
    const both = byChains('ingress-nginx-hops', 'ingress-nginx-hops-down');
    const plan = planned(recorded(both, at('4.11.0'), { release: template('4.12.0') }));
    expect(hopsOf(plan)).toEqual(['4.11.0 --> 4.11.3', '4.11.3 --> 4.11.5', '4.11.5 --> 4.12.0']);
    expect(plan.warnings).toEqual([]);
    await agreesWithGolden('k0rdent-hops', plan, true);
  });

  it('lists what can be gone to before anyone asks', () => {
    const up = byChains('ingress-nginx-chain');
    const { observations, documents: found } = recorded(up, at('4.11.3'), {
      release: template('4.11.5'),
    });
    const names = { environment: 'tenant42', application: 'ingress-nginx' };
    const paths = upgradePathsOf(extentOfAll(names, found), observations);
    expect(JSON.stringify(paths)).toContain('4.11.5');
    expect(JSON.stringify(paths)).not.toContain('4.11.0');
  });

  it('is refused with from and to: without a chain, by none that leads there, and down by the one that leads up', async () => {
    const cases: Array<[string, PlanningInput]> = [
      ['no chain', recorded(byChains(), at('4.11.3'), { release: template('4.11.5') })],
      [
        'the chain has not what runs',
        recorded(byChains('ingress-nginx-chain'), at('4.11.0'), { release: template('4.11.5') }),
      ],
      [
        'the chain leads up',
        recorded(byChains('ingress-nginx-chain'), at('4.11.5'), { release: template('4.11.3') }),
      ],
      [
        'a chain that is not stored',
        recorded(byChains('ingress-nginx-other'), at('4.11.3'), { release: template('4.11.5') }),
      ],
    ];
    const told = cases.map(([name, input]) => `# ${name}\n${refusal(input)}`).join('\n');
    expect(told).toContain(
      "service ingress-nginx/ingress-nginx can't be upgraded from ingress-nginx-4-11-3 to ingress-nginx-4-11-5",
    );
    await expect(told).toMatchFileSnapshot('./golden/k0rdent-refusals.txt');
  });
});
