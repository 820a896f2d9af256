import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeJson } from '../../../../test/support/kubernetes.js';
import { crashAt } from '../../../../test/support/step-context.js';
import { KubeScene, type Upgrading } from './kube-scene.js';

let scene: KubeScene;
let one: { reference: string; digest: string };
let web: Upgrading;

beforeAll(async () => {
  scene = await KubeScene.open(true);
  one = await scene.image('1.0');
  web = await scene.start('Deployment', 'web', one.reference, { replicas: 0 });
});
afterAll(async () => {
  await scene.close();
});

const prepare = (
  image: { reference: string; digest: string },
  changes: object = {},
  bytes?: number,
) =>
  scene.driver.images.prepare(
    web.attempt(changes),
    { image, workloads: [web.container] },
    bytes === undefined
      ? undefined
      : () => Promise.resolve([{ bytes, isCompressed: true, diffId: undefined }]),
  );
const pulling = (): Promise<KubeJson[]> =>
  scene.cluster.list('pods', '-l', 'liftlock.dev/role=pull');

test('each node that may run it has the image before anything is stopped, and nothing is left', async () => {
  const two = await scene.image('2.0');
  await expect(prepare(two, crashAt(2))).rejects.toMatchObject({ code: 'fenced' });
  expect(await prepare(two)).toEqual({ imageId: two.digest.split('@')[1], found: 'done_now' });
  const left = (await pulling()).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  expect(left).toEqual([]);
  await scene.cluster.kubectl(['set', 'image', 'deployment/web', `main=${two.digest}`]);
  await scene.cluster.kubectl(['scale', 'deployment/web', '--replicas=1']);
  await web.check({ type: 'health' });
  const [pod] = await web.pods();
  const events = await scene.cluster.list(
    'events',
    '--field-selector',
    `involvedObject.uid=${pod?.metadata.uid}`,
  );
  const pulled = events.find(({ reason }: KubeJson) => reason === 'Pulled');
  expect(pulled?.message).toContain('already present on machine');
});

test('an image that no node can pull is told before anything is stopped', async () => {
  const gone = { ...one, digest: `${one.digest.split('@')[0]}@sha256:${'0'.repeat(64)}` };
  await expect(prepare(gone)).rejects.toMatchObject({
    code: 'image_missing',
    message: expect.stringMatching(/the pod liftlock-pull-\S+ of the pulling of images/) as string,
  });
});
