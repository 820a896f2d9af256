import { afterAll, beforeAll, expect, test } from 'vitest';
import { asWritten, KubeScene } from './kube-scene.js';

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

test.concurrent('a StatefulSet: there, and back', async () => {
  const db = await scene.start('StatefulSet', 'db', one.reference);
  const before = await db.now();
  await db.stop();
  expect(await db.pods()).toEqual([]);
  await db.replace(two);
  await db.check({ type: 'health' }, { imageDigest: two.digest });
  await db.stopNew();
  expect(await db.pods()).toEqual([]);
  await db.restoreOld();
  await db.check({ type: 'health' });
  expect(asWritten(await db.now())).toEqual(asWritten(before));
});

test.concurrent('a DaemonSet is stopped by nodes that there are not: there, and back', async () => {
  const changes = { pod: { nodeSelector: { 'kubernetes.io/os': 'linux' } } };
  const agent = await scene.start('DaemonSet', 'agent', one.reference, changes);
  const before = await agent.now();
  await agent.stop();
  expect(await agent.pods()).toEqual([]);
  expect((await agent.stop()).found).toBe('done_before');
  expect((await agent.replace(two)).found).toBe('done_now');
  expect((await agent.replace(two)).found).toBe('done_before');
  await agent.check({ type: 'health' }, { imageDigest: two.digest });
  await agent.stopNew();
  await agent.restoreOld();
  await agent.check({ type: 'health' });
  expect(asWritten(await agent.now())).toEqual(asWritten(before));
});

test.concurrent('several hops: each has its record, and the last one leads back a hop', async () => {
  const web = await scene.start('Deployment', 'hops', one.reference);
  const before = await web.now();
  await web.stop();
  await web.replace(two, { env: { OF: 'hop one' } });
  await web.check({ type: 'running', stableSeconds: 0 });
  const second = { keptName: `${web.keptName}-2` };
  const between = await web.now();
  await web.replace(one, { ...second, rolling: true });
  await web.check({ type: 'health' }, { imageDigest: one.digest });
  // what an earlier hop set, and this one says nothing of, stays
  expect((await web.now()).spec.template.spec.containers[0].env).toEqual([
    { name: 'OF', value: 'hop one' },
  ]);
  await web.restoreOld({}, { ...second, rolling: true });
  await web.check({ type: 'health' });
  expect(asWritten(await web.now())).toEqual(asWritten(between));
  await web.restoreOld();
  expect(asWritten(await web.now())).toEqual(asWritten(before));
});

test.concurrent('what did not run is upgraded without being started', async () => {
  const idle = await scene.start('Deployment', 'idle', one.reference, { replicas: 0 });
  expect((await idle.stop()).found).toBe('nothing_to_do');
  expect(await idle.records()).toEqual([]);
  await idle.replace(two);
  expect(await idle.image()).toBe(two.digest);
  await idle.restoreOld();
  expect(await idle.image()).toBe(one.reference);
  expect((await idle.now()).spec.replicas).toBe(0);
});

test.concurrent('somebody else’s change during the upgrade is named, and not written over', async () => {
  const web = await scene.start('Deployment', 'shared', one.reference);
  await web.stop();
  const theirs = `${one.reference}-theirs`;
  await scene.cluster.kubectl(['set', 'image', 'deployment/shared', `main=${theirs}`]);
  await expect(web.replace(two)).rejects.toMatchObject({
    code: 'drift',
    message: expect.stringMatching(
      /was changed during the upgrade, in image, which kubectl\S* set/,
    ) as string,
  });
  expect(await web.image()).toBe(theirs);
});

test.concurrent('what was stopped and runs again is not replaced under its old pods', async () => {
  const web = await scene.start('Deployment', 'again', one.reference);
  await web.stop();
  await scene.cluster.kubectl(['scale', 'deployment/again', '--replicas=1']);
  await expect(web.replace(two)).rejects.toMatchObject({
    code: 'drift',
    message: expect.stringContaining('has started it again') as string,
  });
  expect(await web.image()).toBe(one.reference);
});

test.concurrent('one of the same name that was made again is another one', async () => {
  const web = await scene.start('Deployment', 'made', one.reference, { replicas: 0 });
  await scene.cluster.kubectl(['delete', 'deployment', 'made']);
  await expect(web.replace(two)).rejects.toMatchObject({
    code: 'drift',
    message: expect.stringContaining('there is no Deployment') as string,
  });
  await scene.start('Deployment', 'made', one.reference, { replicas: 0 });
  await expect(web.stop()).rejects.toMatchObject({
    code: 'drift',
    message: expect.stringContaining('was deleted and made again') as string,
  });
});

test.concurrent('a record of another upgrade is not taken for ours', async () => {
  const first = await scene.start('Deployment', 'twice', one.reference);
  await first.stop();
  const second = await scene.instance('Deployment', 'twice');
  await expect(second.replace(two)).rejects.toMatchObject({
    code: 'not_empty',
    message: expect.stringContaining(`a record of ${first.upgrade}`) as string,
  });
});
