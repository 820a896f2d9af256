import { afterAll, beforeAll, expect, test } from 'vitest';
import { objectWork } from '#contracts';
import type { KubeJson } from '../../../../test/support/kubernetes.js';
import { expectToFindItself, KubeScene, Upgrading } from './kube-scene.js';

let scene: KubeScene;
let web: Upgrading;
/** Nodes that nobody runs: all files share the real ones. */
let nodes: readonly [string, string];

beforeAll(async () => {
  scene = await KubeScene.open(true);
  web = new Upgrading(scene, 'Deployment', 'web', 'none');
  const { namespace } = scene.cluster;
  nodes = [`${namespace}-a`, `${namespace}-b`];
  await scene.cluster.apply(
    ...nodes.map((name) => ({
      ...{ apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { 'test/of': namespace } } },
      spec: { taints: [{ key: 'test/only', value: namespace, effect: 'NoSchedule' }] },
    })),
  );
});
afterAll(async () => {
  await scene.cluster.kubectl(['delete', 'node', ...nodes]);
  await scene.close();
});

function step(stepId: string, given: object, recorded = true) {
  const { container } = web;
  const { namespace } = scene.cluster;
  const work = objectWork.parse(given);
  const input = { container, namespace, work };
  return {
    make: (changes = {}) =>
      scene.driver.hooks.object(web.attempt({ stepId, ...changes }), { ...input, recorded }),
    back: (changes = {}) =>
      scene.driver.hooks.objectBack(web.attempt({ stepId: `back/${stepId}`, ...changes }), {
        ...{ ...input, undoes: stepId },
      }),
  };
}

const selector = () => ({ 'test/of': scene.cluster.namespace });
const cordoned = async (): Promise<boolean[]> =>
  Promise.all(
    nodes.map(async (name) => (await scene.cluster.get('node', name)).spec.unschedulable === true),
  );

test('only what this upgrade cordoned is uncordoned, also after a crash', async () => {
  const [theirs] = nodes;
  await scene.cluster.kubectl(['cordon', theirs]);
  const cordon = step('cordon', { type: 'cordon', nodes: { selector: selector() } });
  await expectToFindItself(cordon.make);
  expect(await cordoned()).toEqual([true, true]);
  const uncordon = step('uncordon', { type: 'uncordon', nodes: { selector: selector() } });
  await expectToFindItself(uncordon.make);
  expect(await cordoned()).toEqual([true, false]);
  await expectToFindItself(uncordon.back);
  expect(await cordoned()).toEqual([true, true]);
  await expectToFindItself(cordon.back);
  expect(await cordoned()).toEqual([true, false]);
  const other = step('other', { type: 'cordon', nodes: { names: ['no-such-node'] } });
  await expect(other.make()).rejects.toMatchObject({
    message: expect.stringContaining('there are no nodes no-such-node') as string,
  });
  await scene.cluster.kubectl(['uncordon', theirs]);
});

test('a drain evicts as budgets allow, and leaves what it must', async () => {
  const [, name] = nodes;
  const owner = await ownerOfPods();
  await Promise.all([
    runningPod('plain', name, owner),
    runningPod('guarded', name, owner),
    runningPod('mirrored', name, owner, { annotations: { 'kubernetes.io/config.mirror': 'x' } }),
    runningPod('agent', name, { ...owner, apiVersion: 'apps/v1', kind: 'DaemonSet' }),
    runningPod('lone', name),
  ]);
  await scene.cluster.apply({
    ...{ apiVersion: 'policy/v1beta1', kind: 'PodDisruptionBudget', metadata: { name: 'guard' } },
    spec: { minAvailable: 1, selector: { matchLabels: { pod: 'guarded' } } },
  });
  const drain = (more: object) =>
    step('drain', { type: 'drain', nodes: { names: [name] }, gracePeriodSeconds: 0, ...more });
  await expect(drain({}).make()).rejects.toMatchObject({
    message: expect.stringMatching(
      /nothing was evicted: \S+\/lone is made again by nobody/,
    ) as string,
  });
  expect(await pods()).toHaveLength(5);
  expect(await cordoned()).toEqual([false, false]);
  const held = drain({ evictUnmanaged: true, deadlineSeconds: 3 });
  await expect(held.make()).rejects.toMatchObject({
    code: 'hook_failed',
    message: expect.stringMatching(
      /not drained within 3 s: \S+\/guarded is held: .*disruption budget/,
    ) as string,
  });
  expect(await pods()).toEqual(['agent', 'guarded', 'mirrored']);
  await scene.cluster.kubectl(['delete', 'pdb', 'guard']);
  await drain({ evictUnmanaged: true }).make();
  expect(await pods()).toEqual(['agent', 'mirrored']);
  expect(await cordoned()).toEqual([false, true]);
  expect((await drain({}).back()).found).toBe('done_now');
  expect(await cordoned()).toEqual([false, false]);
});

const pods = async (): Promise<string[]> =>
  (await scene.cluster.list('pods')).map(({ metadata }: KubeJson) => metadata.name).toSorted();

/** Something that pods may say that they belong to. */
async function ownerOfPods(): Promise<object> {
  await scene.cluster.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owner' } });
  const { uid } = (await scene.cluster.get('configmap', 'owner')).metadata;
  return { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid, controller: true };
}

/** On a node that nobody runs the test says how a pod is. */
async function runningPod(name: string, nodeName: string, owner?: object, more: object = {}) {
  const metadata = {
    ...{ name, labels: { pod: name }, ...more },
    ...(owner === undefined ? {} : { ownerReferences: [owner] }),
  };
  const container = { name: 'main', image: 'none:1' };
  const spec = { nodeName, tolerations: [{ operator: 'Exists' }], containers: [container] };
  await scene.cluster.apply({ apiVersion: 'v1', kind: 'Pod', metadata, spec });
  const conditions = [{ type: 'Ready', status: 'True' }];
  const found = await scene.cluster.get('pod', name);
  // without its version: whatever others have written since
  const at = { name, namespace: scene.cluster.namespace };
  const pod = {
    ...{ ...found, metadata: { ...found.metadata, ...at, resourceVersion: undefined } },
    status: { phase: 'Running', conditions },
  };
  // kubectl knows subresources since 1.24
  const path = `/api/v1/namespaces/${scene.cluster.namespace}/pods/${name}/status`;
  await scene.cluster.kubectl(['replace', '--raw', path, '-f', '-'], JSON.stringify(pod));
}
