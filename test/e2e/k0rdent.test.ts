import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EmbeddedFleet, rootFolder } from '#fleet';
import { Cli } from '../support/cli.js';
import { K0RDENT, K0rdent, type Holder } from '../support/k0rdent.js';
import { startKubernetes, type TestCluster } from '../support/kubernetes.js';

const EXAMPLE = join(rootFolder(), 'examples/k0rdent');
const NAMES = ['tenant42', 'ingress-nginx'];
const SERVICE = 'my-cluster-deployment ingress-nginx/ingress-nginx';
const template = (version: string): string => `ingress-nginx-${version.replaceAll('.', '-')}`;
const WALKED = ['4.11.0', '4.11.3', '4.11.5', '4.12.0'].map(template);
/** Where no stand-in for k0rdent has to be made. */
const NOTHING_KEPT = ['--bake', '0'];

let folder: string;
let cluster: TestCluster;
let k0rdent: K0rdent;
let fleet: EmbeddedFleet;
let cli: Cli;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-k0rdent-'));
  cluster = await startKubernetes();
  k0rdent = await K0rdent.start(cluster);
  // a MultiClusterService and the clusters that it selects are of no namespace
  const account = `--serviceaccount=${cluster.namespace}:liftlock`;
  const named = `liftlock-k0rdent-${cluster.namespace}`;
  await cluster.kubectl([
    ...['create', 'clusterrolebinding', named],
    ...['--clusterrole=liftlock-k0rdent', account],
  ]);
  await cluster.kubectl(['apply', '-f', join(EXAMPLE, 'cluster')]);
  const { LIFTLOCK_SECRET_CA: ca = '', LIFTLOCK_SECRET_TOKEN: token = '' } = cluster.secrets;
  fleet = await EmbeddedFleet.start({
    folder: join(folder, 'fleet'),
    tied: true,
    fsync: false,
    env: {
      LIFTLOCK_DRIVERS: 'kubernetes',
      LIFTLOCK_SECRET_MANAGEMENT_CA: ca,
      LIFTLOCK_SECRET_MANAGEMENT_TOKEN: token,
    },
  });
  cli = Cli.of(fleet.url, fleet.token);
  for (const file of readdirSync(join(EXAMPLE, 'documents'))) adapt(join('documents', file));
  adapt('fleet.yaml');
  await applied('environment.yaml', 'application.yaml', 'releases.yaml');
  await k0rdent.untilSettled();
}, 900_000);
afterAll(async () => {
  await fleet?.stop();
  await k0rdent?.stop();
  const { namespace } = cluster;
  await cluster.kubectl(['delete', 'multiclusterservices', '-l', `test=${namespace}`]);
  await cluster.kubectl(['delete', 'clusterrolebinding', `liftlock-k0rdent-${namespace}`]);
  await cluster.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Puts the example's file into the test's folder, with this cluster and namespace. */
function adapt(file: string): void {
  const text = readFileSync(join(EXAMPLE, file), 'utf8')
    .replaceAll('namespace: tenant42', `namespace: ${cluster.namespace}`)
    .replace('MultiClusterService/ingress', `MultiClusterService/ingress-${cluster.namespace}`)
    .replace('https://management.example.com:6443', cluster.endpoint);
  writeFileSync(join(folder, basename(file)), text);
}

async function applied(...files: readonly string[]): Promise<void> {
  const end = await cli.run(['apply', ...files.flatMap((file) => ['-f', join(folder, file)])]);
  expect(end.code, end.stderr).toBe(0);
}

/** The application by other chains, or with another target of theirs. */
async function withChains(chains: string): Promise<void> {
  const text = readFileSync(join(folder, 'application.yaml'), 'utf8');
  writeFileSync(
    join(folder, 'other.yaml'),
    text.replace(/ {2}# read where[^]*(?= {2}components:)/, `  chains: ${chains}\n`),
  );
  await applied('other.yaml');
}

const upgrade = (version: string) =>
  cli.run(['upgrade', ...NAMES, template(version), '--yes', ...NOTHING_KEPT]);

const holder = (): Promise<Holder> =>
  cluster.get<Holder>('clusterdeployment', 'my-cluster-deployment');

it('shows what each service may go to, by the chains that are in the cluster, before anyone asks', async () => {
  const { code, stdout, stderr } = await cli.run(['paths', ...NAMES]);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('4.11.3 --> 4.11.5 --> 4.12.0');
});

it('is refused in k0rdent’s words where no chain leads there, with nothing touched', async () => {
  const before = await holder();
  await withChains('[]');
  const { code, stdout, stderr } = await upgrade('4.12.0');
  await applied('application.yaml');
  expect(code).toBe(1);
  expect(stdout + stderr).toContain(
    "service ingress-nginx/ingress-nginx can't be upgraded from ingress-nginx-4-11-0 to ingress-nginx-4-12-0",
  );
  expect(await holder()).toEqual(before);
});

it('goes back the way that it came, by the chain that leads down, where a template cannot be deployed', async () => {
  const before = (await holder()).spec;
  k0rdent.broken.add(template('4.12.0'));
  const { code, stdout, stderr } = await upgrade('4.12.0');
  k0rdent.broken.clear();
  expect(code, stdout + stderr).toBe(3);
  expect(stdout + stderr).toContain('the chart has no such value');
  expect(k0rdent.history.get(SERVICE)).toEqual([
    ...WALKED.slice(0, 3),
    ...WALKED.slice(0, 3).toReversed(),
  ]);
  expect((await holder()).spec).toEqual(before);
  expect(k0rdent.refusals).toEqual([]);
});

it('walks three hops one by one, each deployed before the next, though an edge leads straight past', async () => {
  k0rdent.history.clear();
  const { code, stdout, stderr } = await upgrade('4.12.0');
  expect(code, stdout + stderr).toBe(0);
  expect(k0rdent.history.get(SERVICE)).toEqual(WALKED.slice(1));
  const { services } = (await holder()).spec.serviceSpec ?? {};
  expect(services).toEqual([
    expect.objectContaining({
      template: 'ingress-nginx-4-12-0',
      templateChain: 'ingress-nginx-hops',
    }),
  ]);
  expect(await cluster.list('configmaps', '-l', 'liftlock.dev/role=record')).toEqual([]);
});

it('goes down again when somebody asks, by chains that are documents', async () => {
  k0rdent.history.clear();
  await applied('chains.yaml');
  await withChains('[ingress-nginx-hops, ingress-nginx-hops-down]');
  const { code, stdout, stderr } = await upgrade('4.11.3');
  expect(code, stdout + stderr).toBe(0);
  expect(k0rdent.history.get(SERVICE)).toEqual(['4.11.5', '4.11.3'].map(template));
});

it('brings a template to the clusters of a MultiClusterService in waves, by their labels', async () => {
  const fleet = cluster.namespace;
  const rings = ['canary', 'early', 'late'];
  const spec = { template: 'aws-standalone-cp-1-0-2', credential: 'aws-credential' };
  const service = {
    ...{ name: 'ingress-nginx', namespace: 'ingress-nginx' },
    ...{ template: template('4.11.0'), templateChain: 'ingress-nginx-hops' },
  };
  await cluster.apply(
    ...rings.map((ring) => ({
      ...{ ...K0RDENT, kind: 'ClusterDeployment', spec },
      metadata: { name: `fleet-${ring}`, labels: { fleet, ring } },
    })),
    {
      ...{ ...K0RDENT, kind: 'MultiClusterService' },
      metadata: { name: `ingress-${fleet}`, labels: { test: fleet } },
      spec: {
        clusterSelector: { matchLabels: { fleet } },
        serviceSpec: { services: [service] },
      },
    },
  );
  await applied('fleet.yaml');
  const told = (ring: string) => k0rdent.history.get(`fleet-${ring} ingress-nginx/ingress-nginx`);
  await expect.poll(() => rings.map(told)).toEqual(rings.map(() => [template('4.11.0')]));
  k0rdent.order.length = 0;
  const { code, stdout, stderr } = await cli.run([
    ...['upgrade', 'tenant42', 'ingress-fleet', 'ingress-fleet-4.11.3', '--yes', ...NOTHING_KEPT],
  ]);
  expect(code, stdout + stderr).toBe(0);
  expect(k0rdent.order).toEqual(
    rings.map((ring) => `fleet-${ring} ingress-nginx/ingress-nginx ${template('4.11.3')}`),
  );
});
