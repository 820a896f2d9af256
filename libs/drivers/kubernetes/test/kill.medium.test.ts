import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RUN_SOURCE } from '../../../../test/support/run-source.js';
import { FlakyServer } from '../../../../test/support/flaky-api-server.js';
import { asWritten, KubeScene } from './kube-scene.js';
import type { ChildWork } from './upgrading-child.js';

let scene: KubeScene;
let flaky: FlakyServer;

beforeAll(async () => {
  scene = await KubeScene.open();
  flaky = await FlakyServer.before(scene.cluster);
});
afterAll(async () => {
  await flaky.close();
  await scene.close();
});

test('a process killed at each change, before it hears of it, is followed by one that finds what it did', async () => {
  const [one, two] = await Promise.all([scene.image('1.0'), scene.image('2.0')]);
  const web = await scene.start('Deployment', 'web', one.reference, { replicas: 2 });
  const before = await web.now();
  const { container, containerId, keptName, upgrade } = web;
  const [namespace = ''] = container.split('/');
  const { LIFTLOCK_SECRET_TOKEN = '' } = scene.cluster.secrets;
  let left: ChildWork['actions'] = ['stop', 'replace', 'stopNew', 'restoreOld', 'removeNew'];
  let child: ChildProcess | undefined;
  const changes: string[] = [];
  flaky.loses = (asked, status) => {
    const [method = '', path = ''] = asked.split(' ');
    // refused, because the workload's controller wrote its status in between: nothing was changed
    if (method === 'GET' || status >= 400) return false;
    changes.push(`${method} ${path.replace(/\?.*/, '').split(namespace).at(-1)}`);
    child?.kill('SIGKILL');
    return true;
  };
  for (let token = 1; left.length > 0; token += 1) {
    const work: ChildWork = {
      ...{ endpoint: flaky.endpoint, upgrade, token, image: two, actions: left },
      variables: { LIFTLOCK_SECRET_CA: flaky.ca, LIFTLOCK_SECRET_TOKEN },
      planned: { container, containerId, keptName },
    };
    const path = fileURLToPath(import.meta.resolve('./upgrading-child.ts'));
    child = fork(path, [JSON.stringify(work)], { execArgv: [...RUN_SOURCE] });
    child.on('message', ({ action, found }: { action: string; found: string }) => {
      expect([action, left[0]]).toEqual([left[0], left[0]]);
      // the change was another process's
      expect(found).not.toBe('done_now');
      left = left.slice(1);
    });
    // of what it said before it was killed, too
    await once(child, 'close');
    expect(token).toBeLessThan(20);
  }
  const record = keptName.split('/').at(-1);
  // the object of an ended pod that its kubelet has missed is removed besides
  expect(changes.filter((change) => !change.startsWith('DELETE /pods/'))).toEqual([
    'POST /configmaps',
    ...Array.from({ length: 4 }, () => 'PUT /deployments/web'),
    `DELETE /configmaps/${record}`,
  ]);
  expect(asWritten(await web.now())).toEqual(asWritten(before));
  expect(await web.records()).toEqual([]);
});
