import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedFleet, ensureInstalled, fleetFolder } from '#fleet';
import { ApiClient } from '../../test/support/api-client.js';
import { FlakyServer } from '../../test/support/flaky-api-server.js';
import { applyRole, kubeUp } from '../../test/support/kube-up.js';
import { PlainRepository, serviceImage } from '../../test/support/registry-image.js';
import { startRegistryServer } from '../../test/support/registry.js';
import { openCluster, type TestCluster } from '../../test/support/test-cluster.js';
import type { Case } from '../support/report.js';
import { StandInNodes } from './stand-in-nodes.js';

const BAR = 1.1;
const NODES = ['stand-in-1', 'stand-in-2'];
const UPGRADE_DEADLINE_MS = 30 * 60_000;

interface Stage {
  readonly cluster: TestCluster;
  readonly api: ApiClient;
  /** Between Liftlock and the cluster. */
  readonly server: FlakyServer;
  /** Of the old version, and of the new one. */
  readonly images: readonly [string, string];
}

/**
 * Requests to the API server per Deployment, from the plan to the end of the bake, of one upgrade of few and one of many. A real API server with
 * its controllers and its scheduler; what stands in for kubelets says that pods run.
 */
export async function requests(few: number, many: number): Promise<Case[]> {
  const folder = join(fleetFolder(), 'bench-kubernetes');
  // what an earlier run that was cut off left would be in the way
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await ensureInstalled({ docker: false, registry: true, logFile: join(folder, 'apt.log') });
  const registry = await startRegistryServer();
  const running = await kubeUp(['--api-only'], join(folder, 'cluster'));
  const nodes = await StandInNodes.start(running.kubeconfig, NODES);
  try {
    await applyRole(running.kubeconfig);
    const place = { kubeconfig: running.kubeconfig, registry: registry.host };
    const cluster = await openCluster(place, true);
    const server = await FlakyServer.before(cluster);
    const env = { ...cluster.secrets, LIFTLOCK_SECRET_CA: server.ca };
    const fleet = await EmbeddedFleet.start({ folder: join(folder, 'fleet'), tied: true, env });
    try {
      const api = new ApiClient(fleet.url, fleet.token);
      const repository = new PlainRepository(registry.host, 'bench');
      const images = [await push(repository, '1.0'), await push(repository, '2.0')] as const;
      const stage = { cluster, api, server, images };
      return compared(few, await upgrade(stage, few), many, await upgrade(stage, many));
    } finally {
      await fleet.stop();
      await server.close();
    }
  } finally {
    nodes.stop();
    await running.stop();
    await registry.stop();
  }
}

function compared(few: number, ofFew: number, many: number, ofMany: number): Case[] {
  const each = ofFew / few;
  const value = ofMany / many;
  const ratio = value / each;
  return [
    {
      ...{ bench: 'kubernetes', case: `requests per Deployment, ${many} in one upgrade`, value },
      ...{ unit: 'requests', against: `${few} in one upgrade: ${each.toFixed(2)}`, ratio },
      ...{ bar: BAR, holds: ratio <= BAR },
    },
  ];
}

async function push(repository: PlainRepository, version: string): Promise<string> {
  const digest = await repository.push(version, await serviceImage(`# ${version}\n`));
  return `${repository.host}/${repository.name}:${version}@${digest}`;
}

/** @returns requests that it took in all */
async function upgrade(
  { cluster, api, server, images: [old, next] }: Stage,
  count: number,
): Promise<number> {
  const names = Array.from({ length: count }, (_, at) => `app-${at}`);
  await cluster.apply(...names.map((name) => deployment(name, old)));
  const available = ['--for=condition=available', 'deployment', '--all', '--timeout=300s'];
  await cluster.kubectl(['wait', ...available]);
  const name = `of-${count}`;
  await documents(api, name, names, cluster, { endpoint: server.endpoint, old, next });
  const before = server.asked.length;
  const { id } = await api.upgrade({
    ...{ environment: name, application: name, release: `${name}-2.0` },
    // checks of a bake are repeated as time goes by: that is of its length
    policy: { bakeSeconds: 0 },
  });
  const { state, message } = await api.untilEnded(id, UPGRADE_DEADLINE_MS);
  if (state !== 'succeeded') throw new Error(`${id} ended as ${state}: ${message ?? ''}`);
  const asked = server.asked.slice(before);
  process.stderr.write(`${count} Deployments: ${asked.length} requests\n${byKind(asked)}`);
  await cluster.kubectl(['delete', 'deployment', '--all', '--wait=true']);
  return asked.length;
}

function deployment(name: string, image: string): object {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image }] } };
  const spec = { selector: { matchLabels: labels }, template };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec };
}

async function documents(
  api: ApiClient,
  name: string,
  components: readonly string[],
  { credentials, namespace }: TestCluster,
  {
    endpoint,
    old,
    next,
  }: { readonly endpoint: string; readonly old: string; readonly next: string },
): Promise<void> {
  const head = { apiVersion: 'liftlock.dev/v1', metadata: { name } };
  const target = { name: 'cluster', driver: 'kubernetes', endpoint, credentials };
  await api.put('environments', { ...head, kind: 'Environment', spec: { targets: [target] } });
  await api.put('applications', {
    ...{ ...head, kind: 'Application' },
    spec: {
      components: components.map((component) => ({
        ...{ name: component, targets: ['cluster'], workload: { namespace } },
        checks: [{ type: 'health' }],
      })),
      maxParallel: 10,
    },
  });
  for (const [version, image] of [
    ['1.0', old],
    ['2.0', next],
  ] as const)
    await api.put('releases', {
      ...{ ...head, metadata: { name: `${name}-${version}` }, kind: 'Release' },
      spec: {
        ...{ application: name, version },
        components: Object.fromEntries(components.map((component) => [component, { image }])),
      },
    });
}

/** What was asked, without names: how often, the most first. */
function byKind(asked: readonly string[]): string {
  const kinds = asked.map((one) => {
    const [method = '', url = ''] = one.split(' ');
    const { pathname, searchParams } = new URL(url, 'https://api');
    const path = pathname.replace(/\/namespaces\/[^/]+/, '').replace(/^\/apis?\//, '');
    const [group, version, plural, name, ...sub] = path.split('/');
    const what = group === 'v1' ? [version, plural && '…'] : [plural, name && '…', ...sub];
    return [method, searchParams.has('watch') ? 'watch' : '', ...what].filter(Boolean).join(' ');
  });
  return [...Map.groupBy(kinds, (kind) => kind)]
    .toSorted(([, one], [, other]) => other.length - one.length)
    .map(([kind, { length }]) => `  ${length} ${kind}\n`)
    .join('');
}
