import { afterAll, beforeAll, expect, test } from 'vitest';
import { KubeScene, workload, type Upgrading } from './kube-scene.js';

let scene: KubeScene;
let one: { reference: string; digest: string };
let web: Upgrading;

beforeAll(async () => {
  scene = await KubeScene.open();
  one = await scene.image('1.0');
  web = await scene.start('Deployment', 'web', one.reference, {
    replicas: 2,
    metadata: {
      labels: { 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: {
        'meta.helm.sh/release-name': 'shop',
        'meta.helm.sh/release-namespace': 'shops',
      },
    },
    pod: {
      volumes: [
        { name: 'host', hostPath: { path: '/tmp' } },
        { name: 'settings', configMap: { name: 'kube-root-ca.crt', optional: true } },
      ],
    },
    container: {
      volumeMounts: [
        { name: 'host', mountPath: '/data', subPath: 'liftlock-test', readOnly: true },
        { name: 'settings', mountPath: '/settings' },
      ],
    },
  });
});
afterAll(async () => {
  await scene.close();
});

test('a workload is seen as it runs, with who owns it', async () => {
  const { containers } = await scene.observe(web.container, `${web.container}/main`);
  const [observed] = containers;
  expect(observed).toMatchObject({
    ...{ container: web.container, found: true, containerId: web.containerId, running: true },
    ...{ imageReference: one.reference, repoDigests: [one.digest], replicas: 2, health: 'healthy' },
    owner: 'helm:shops/shop',
    mounts: [{ kind: 'bind', source: '/tmp/liftlock-test', destination: '/data', writable: false }],
    problems: [],
  });
  expect(containers[1]).toMatchObject({ found: true, problems: [] });
});

test('what is not there, and what cannot be told', async () => {
  const { namespace } = scene.cluster;
  const { containers } = await scene.observe(
    `${namespace}/Deployment/none`,
    `${namespace}/StatefulSet/web`,
    `${web.container}/sidecar`,
    web.keptName,
  );
  expect(containers.map(({ found }) => found)).toEqual([false, false, true, false]);
  expect(containers[2]?.problems.join()).toContain('have no container sidecar, but: main');
});

test('a rollout that is under way, or paused, is named', async () => {
  await scene.cluster.apply(workload('Deployment', 'rolls', one.reference));
  await scene.cluster.kubectl(['rollout', 'status', 'deployment/rolls', '--timeout=240s']);
  await scene.cluster.kubectl(['set', 'image', 'deployment/rolls', `main=${one.reference}-none`]);
  const { namespace } = scene.cluster;
  const container = `${namespace}/Deployment/rolls`;
  const seen = async (): Promise<string> =>
    (await scene.observe(container)).containers[0]?.problems.join() ?? '';
  await expect.poll(seen).toMatch(/a rollout of it is under way \(.*\): wait until it has ended/);
  await scene.cluster.kubectl(['rollout', 'pause', 'deployment/rolls']);
  expect(await seen()).toContain(
    'its rollouts are paused: kubectl rollout resume Deployment/rolls',
  );
});

test('its image, its identity and whether it runs are seen to be as planned', async () => {
  const { container, containerId } = web;
  const imageId = `sha256:${'0'.repeat(64)}`;
  const same = (changes: object = {}) =>
    scene.driver.checks.assertUnchanged(web.attempt(), {
      ...{ container, containerId, imageId, imageReference: one.reference, running: true },
      ...changes,
    });
  expect(await same()).toEqual({});
  await expect(same({ imageReference: 'other:1' })).rejects.toMatchObject({
    code: 'drift',
    message: expect.stringContaining(
      `image was other:1, is ${one.reference}; make a new plan`,
    ) as string,
  });
  await expect(same({ running: false })).rejects.toMatchObject({ code: 'drift' });
});
