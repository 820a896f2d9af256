import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '#kernel';
import type { LookUpLayers, PackedLayer } from '#drivers/core';
import type { KubeJson } from '../../../../test/support/kubernetes.js';
import { meetingOf } from '../../../../test/support/meeting.js';
import { crashAt } from '../../../../test/support/step-context.js';
import { KubeScene, type Upgrading } from './kube-scene.js';

interface TestNode {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly conditions?: ReadonlyArray<{ readonly type: string; readonly status: string }>;
    readonly images?: ReadonlyArray<{ readonly names: readonly string[] }>;
  };
}

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
  lookUp?: LookUpLayers,
) =>
  scene.driver.images.prepare(web.attempt(changes), { image, workloads: [web.container] }, lookUp);
const layer = (bytes: number, diffId: string): PackedLayer => ({
  ...{ bytes, isCompressed: true, diffId },
});
/** Of the image itself; of others of its repository, which the nodes say in their own time that they have, nothing. */
const packed =
  (bytes: number, diffId: string = randomUUID()): LookUpLayers =>
  (_platform, digest) =>
    Promise.resolve(digest === undefined ? [layer(bytes, diffId)] : []);
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
  const of = `involvedObject.uid=${pod?.metadata.uid}`;
  const { message } = await waitFor(
    async () => {
      const events = await scene.cluster.list('events', '--field-selector', of);
      return events.find(({ reason }) => reason === 'Pulled');
    },
    // a kubelet writes its events beside its work, and so many a second
    { what: 'its kubelet says what it had', deadlineMs: 240_000, everyMs: 500 },
  );
  expect(message).toContain('already present on machine');
});

test('an image that no node can pull is told before anything is stopped', async () => {
  const gone = { ...one, digest: `${one.digest.split('@')[0]}@sha256:${'0'.repeat(64)}` };
  await expect(prepare(gone)).rejects.toMatchObject({
    code: 'image_missing',
    message: expect.stringMatching(/the pod liftlock-pull-\S+ of the pulling of images/) as string,
  });
});

test('an account that may not ask kubelets is told so in the log, and the image is brought', async () => {
  const attempt = web.attempt();
  const three = await scene.image('3.0');
  const input = { image: three, workloads: [web.container] };
  await scene.driver.images.prepare(attempt, input, packed(2 ** 60));
  const told = attempt.lines.filter((line) => line.includes('bind liftlock-disks'));
  expect(told).toHaveLength(1);
});

describe('with the role liftlock-disks', () => {
  let free: number;
  /** Another file of the run may have made nodes that nobody runs. */
  const able = async (): Promise<TestNode[]> =>
    (await scene.cluster.list<TestNode>('nodes')).filter(({ status: { conditions = [] } }) =>
      conditions.some(({ type, status }) => type === 'Ready' && status === 'True'),
    );
  beforeAll(async () => {
    const { kubectl, namespace } = scene.cluster;
    const account = `--serviceaccount=${namespace}:liftlock`;
    const role = '--clusterrole=liftlock-disks';
    await kubectl(['create', 'clusterrolebinding', `${namespace}-disks`, role, account]);
    const asks = ['get', 'nodes', '--subresource=proxy'];
    const who = `--as=system:serviceaccount:${namespace}:liftlock`;
    // a role that was just bound is not known at once
    await waitFor(
      () =>
        kubectl(['auth', 'can-i', ...asks, who]).then(
          () => true,
          () => false,
        ),
      { what: 'the account may ask kubelets', deadlineMs: 60_000, everyMs: 200 },
    );
    const frees = (await able()).map(async ({ metadata: { name } }) => {
      const raw = await kubectl(['get', '--raw', `/api/v1/nodes/${name}/proxy/stats/summary`]);
      const summary = JSON.parse(raw) as {
        node: { runtime: { imageFs: { availableBytes: number } } };
      };
      return summary.node.runtime.imageFs.availableBytes;
    });
    free = Math.min(...(await Promise.all(frees)));
  });
  afterAll(async () => {
    await scene.cluster.kubectl([
      'delete',
      'clusterrolebinding',
      `${scene.cluster.namespace}-disks`,
    ]);
  });

  test('what fits on no node is refused before anything is pulled', async () => {
    const four = await scene.image('4.0');
    const attempt = web.attempt();
    const input = { image: four, workloads: [web.container] };
    const refused = scene.driver.images.prepare(attempt, input, packed(2 ** 60));
    await expect(refused).rejects.toMatchObject({
      code: 'disk_full',
      message: expect.stringMatching(
        /on node-\d of one, where .* are free.*nothing of it was pulled/,
      ) as string,
    });
    expect(attempt.lines.join()).not.toContain('pulls');
    expect(await pulling()).toEqual([]);
    expect(await prepare(four, {}, packed(1_000))).toMatchObject({ found: 'done_now' });
  });

  test('images of one upgrade that fit alone, and not together, are refused together', async () => {
    const images = await Promise.all([scene.image('5.0'), scene.image('6.0')]);
    const half = Math.ceil(free * 0.7);
    const meet = meetingOf(images.length);
    const ends = await Promise.allSettled(
      images.map((image) => prepare(image, {}, meet(packed(half)))),
    );
    for (const end of ends)
      expect(end).toMatchObject({
        reason: {
          code: 'disk_full',
          message: expect.stringContaining('the 2 that this upgrade brings there') as string,
        },
      });
    expect(await pulling()).toEqual([]);
    // a layer that both have is one
    const shared = packed(half, 'sha256:shared');
    await Promise.all(images.map((image) => prepare(image, {}, shared)));
  });

  test('layers of an image that the nodes have from the same repository do not count', async () => {
    const seven = await scene.image('7.0');
    const base = layer(2 ** 60, 'sha256:base');
    const asked: string[] = [];
    const lookUp: LookUpLayers = (_platform, digest) => {
      if (digest !== undefined) asked.push(digest);
      return Promise.resolve([base, ...(digest === undefined ? [layer(10, 'sha256:new')] : [])]);
    };
    await waitFor(
      async () =>
        (await able()).every(({ status: { images = [] } }) =>
          images.some(({ names }) => names.some((name) => name.startsWith(repository()))),
        ),
      { what: 'kubelets tell which images they have', deadlineMs: 60_000, everyMs: 500 },
    );
    expect(await prepare(seven, {}, lookUp)).toMatchObject({ found: 'done_now' });
    expect(asked.every((digest) => digest.startsWith(repository()))).toBe(true);
    expect(asked.length).toBeGreaterThan(0);
  });

  const repository = (): string => `${one.digest.split('@')[0]}@`;
});
