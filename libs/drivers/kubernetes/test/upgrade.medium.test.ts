import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '#kernel';
import type { KubeJson } from '../../../../test/support/test-cluster.js';
import { asWritten, expectToFindItself, KubeScene, workload } from './kube-scene.js';

let scene: KubeScene;
let one: { reference: string; digest: string };
let two: typeof one;

beforeAll(async () => {
  scene = await KubeScene.open();
  [one, two] = await Promise.all([scene.image('1.0'), scene.image('2.0')]);
});
afterAll(async () => {
  await scene.close();
});

test('recreate: there, and back exactly as it was', async () => {
  const web = await scene.start('Deployment', 'web', one.reference, {
    replicas: 2,
    container: {
      env: [
        { name: 'OLD', value: '1' },
        { name: 'GONE', value: '1' },
      ],
    },
  });
  const before = await web.now();
  expect(await web.stop()).toEqual({ containerId: web.containerId, found: 'done_now' });
  expect(await web.pods()).toEqual([]);
  expect((await web.stop()).found).toBe('done_before');
  expect(await web.records()).toHaveLength(1);
  const more = { env: { NEW: 'yes', GONE: null }, command: ['/start.sh', 'again'] };
  expect((await web.replace(two, more)).found).toBe('done_now');
  expect((await web.replace(two, more)).found).toBe('done_before');
  await web.check({ type: 'health' }, { imageDigest: two.digest });
  const now = await web.now();
  expect(now.spec.replicas).toBe(2);
  expect(now.spec.template.spec.containers[0]).toMatchObject({
    image: two.digest,
    env: [
      { name: 'OLD', value: '1' },
      { name: 'NEW', value: 'yes' },
    ],
    args: ['/start.sh', 'again'],
  });
  expect((await web.stopNew()).found).toBe('done_now');
  expect(await web.pods()).toEqual([]);
  expect((await web.stopNew()).found).toBe('done_before');
  expect((await web.restoreOld()).found).toBe('done_now');
  expect((await web.restoreOld()).found).toBe('done_before');
  await web.check({ type: 'health' });
  expect(asWritten(await web.now())).toEqual(asWritten(before));
  expect((await web.removeNew()).found).toBe('done_now');
  expect(await web.records()).toEqual([]);
  expect((await web.removeNew()).found).toBe('nothing_to_do');
});

test('the object of a pod whose end its kubelet missed is out of the way: a Recreate would wait for it', async () => {
  // of a node that is not there nobody but this test says how its pods are
  const pod = { nodeName: 'not-there' };
  await scene.cluster.apply(workload('Deployment', 'missed', one.reference, { pod }));
  const missed = await scene.instance('Deployment', 'missed');
  const seen = (what: string, is: (pod: KubeJson) => boolean): Promise<KubeJson> =>
    waitFor(
      async () => {
        const [found] = await scene.cluster.list('pods', '-l', 'app=missed');
        return found !== undefined && is(found) ? found : undefined;
      },
      { what, deadlineMs: 60_000 },
    );
  await seen('its pod is there', () => true);
  const stopping = missed.stop();
  const deleted = await seen(
    'its pod is deleted',
    ({ metadata }) => 'deletionTimestamp' in metadata,
  );
  const status = {
    phase: 'Running',
    containerStatuses: [
      {
        ...{ name: 'main', image: one.reference, imageID: '', ready: false, restartCount: 0 },
        state: { waiting: { reason: 'ContainerCreating' } },
        lastState: { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown' } },
      },
    ],
  };
  const { namespace } = scene.cluster;
  const path = `/api/v1/namespaces/${namespace}/pods/${deleted.metadata.name}/status`;
  const body = JSON.stringify({ ...deleted, status });
  await scene.cluster.kubectl(['replace', '--raw', path, '-f', '-'], body);
  expect((await stopping).found).toBe('done_now');
  expect(await scene.cluster.list('pods', '-l', 'app=missed')).toEqual([]);
});

test('rolling: pods are replaced as they are able to, and the record alone leads back', async () => {
  const api = await scene.start('Deployment', 'api', one.reference, { replicas: 2 });
  const before = await api.now();
  await api.replace(two, { rolling: true });
  await api.check({ type: 'health' }, { imageDigest: two.digest });
  expect((await api.stop()).found).toBe('done_now');
  await api.restoreOld({}, { rolling: true });
  await api.check({ type: 'health' });
  expect(asWritten(await api.now())).toEqual(asWritten(before));
  expect((await api.removeOld()).found).toBe('done_now');
});

test('cut off at each change, every action finds its own work', async () => {
  const web = await scene.start('Deployment', 'cut', one.reference);
  const before = await web.now();
  expect(await expectToFindItself(web.stop)).toBeGreaterThan(0);
  await expectToFindItself((changes) => web.replace(two, {}, changes));
  await web.check({ type: 'running', stableSeconds: 0 }, { imageDigest: two.digest });
  await expectToFindItself(web.stopNew);
  await expectToFindItself(web.restoreOld);
  await web.check({ type: 'health' });
  expect(asWritten(await web.now())).toEqual(asWritten(before));
  await expectToFindItself(web.removeNew);
  const rolling = { rolling: true };
  expect(await expectToFindItself((changes) => web.replace(two, rolling, changes))).toBeGreaterThan(
    0,
  );
  expect(await web.image()).toBe(two.digest);
});

test('which reference its image was brought by is known until the image is another', async () => {
  const web = await scene.start('Deployment', 'brought', one.reference);
  const seen = async () => (await scene.observe(web.container)).containers[0];
  expect(await seen()).not.toHaveProperty('broughtAs');
  const before = await web.now();
  await web.replace(two, { rolling: true });
  expect(await seen()).toMatchObject({ imageReference: two.digest, broughtAs: two.reference });
  await scene.cluster.kubectl(['set', 'image', 'deployment/brought', `main=${one.digest}`]);
  expect(await seen()).not.toHaveProperty('broughtAs');
  await scene.cluster.kubectl(['set', 'image', 'deployment/brought', `main=${two.digest}`]);
  await web.restoreOld();
  expect(asWritten(await web.now())).toEqual(asWritten(before));
  expect(await seen()).not.toHaveProperty('broughtAs');
});
