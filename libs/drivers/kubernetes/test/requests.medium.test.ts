import { afterAll, beforeAll, expect, test } from 'vitest';
import { SecretStore, type Driver } from '#drivers/core';
import { kubernetesDriver } from '#drivers/kubernetes';
import { waitFor } from '#kernel';
import { FlakyServer } from '../../../../test/support/flaky-api-server.js';
import { KubeScene, type Upgrading } from './kube-scene.js';

let scene: KubeScene;
let server: FlakyServer;
let driver: Driver;
let all: readonly Upgrading[];
let two: { reference: string; digest: string };

beforeAll(async () => {
  scene = await KubeScene.open();
  server = await FlakyServer.before(scene.cluster);
  const variables = { ...scene.cluster.secrets, LIFTLOCK_SECRET_CA: server.ca };
  driver = await kubernetesDriver(new SecretStore({ variables }));
  const one = await scene.image('1.0');
  two = await scene.image('2.0');
  const names = Array.from({ length: 8 }, (_, at) => `app${at}`);
  all = await Promise.all(
    names.map((name) => scene.start('Deployment', name, one.reference, { replicas: 0 })),
  );
  await waitFor(
    async () => (await scene.cluster.list<TestDeployment>('deployments')).every(isLeft),
    {
      ...{ what: 'their controller has written all that it will', deadlineMs: 240_000 },
    },
  );
});
afterAll(async () => {
  await driver.close();
  await server.close();
  await scene.close();
});

interface TestDeployment {
  readonly status?: { readonly conditions?: ReadonlyArray<{ readonly reason: string }> };
}

/** What a controller writes between a read and its write takes two requests more. */
function isLeft({ status }: TestDeployment): boolean {
  const reasons = new Set((status?.conditions ?? []).map(({ reason }) => reason));
  return reasons.has('MinimumReplicasAvailable') && reasons.has('NewReplicaSetAvailable');
}

/** Requests that it took. */
async function counted(act: () => Promise<unknown>): Promise<number> {
  const before = server.asked.length;
  await act();
  return server.asked.length - before;
}

test('observing takes as many requests for eight workloads as for two, with the records that may be in the way', async () => {
  const observe = (some: readonly Upgrading[]): Promise<number> =>
    counted(async () => {
      const containers = some.flatMap(({ container, keptName }) => [container, keptName]);
      const query = { target: scene.target(server.endpoint), containers, images: [] };
      const seen = await driver.instances.observe(query, AbortSignal.timeout(60_000));
      expect(seen.containers.filter(({ found }) => found)).toHaveLength(some.length);
    });
  const few = await observe(all.slice(0, 2));
  expect(await observe(all)).toBe(few);
});

test('a workload takes as many requests among eight as among two', async () => {
  const upgrade = async (some: readonly Upgrading[]): Promise<void> => {
    await Promise.all(
      some.map(async (one) => {
        const { container, containerId, keptName } = one;
        const planned = { container, containerId, keptName };
        const context = () => one.attempt({ target: scene.target(server.endpoint) });
        await driver.checks.assertUnchanged(context(), { ...planned, running: false });
        const change = { ...planned, image: two, env: {}, rolling: true as const };
        await driver.instances.replace(context(), change);
        await driver.instances.removeOld(context(), planned);
      }),
    );
  };
  const few = all.slice(0, 2);
  const many = all.slice(2);
  // once, so that nothing is asked for the first time
  const each = (await counted(() => upgrade(few))) / few.length;
  expect((await counted(() => upgrade(many))) / many.length).toBe(each);
});
