import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandWork, jobWork } from '#contracts';
import { SecretStore, type StepContext } from '#drivers/core';
import { kubernetesDriver } from '#drivers/kubernetes';
import { crashAt } from '../../../../test/support/step-context.js';
import { KubeScene, type Upgrading } from './kube-scene.js';

let scene: KubeScene;
let one: { reference: string; digest: string };
let web: Upgrading;

beforeAll(async () => {
  scene = await KubeScene.open();
  one = await scene.image('1.0');
  web = await scene.start('Deployment', 'web', one.digest, {
    pod: { volumes: [{ name: 'shared', emptyDir: {} }] },
    container: {
      env: [{ name: 'OWN', value: 'own' }],
      volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
    },
  });
});
afterAll(async () => {
  await scene.close();
});

const command = (words: string[], more: object = {}, input: object = {}) =>
  scene.driver.hooks.command(web.attempt(), {
    ...{ container: web.container, imageDigest: one.digest, onlyWhileRunning: false },
    work: commandWork.parse({ type: 'command', command: words, ...more }),
    ...input,
  });

const job = (stepId: string, work: object, changes: Partial<StepContext> = {}) =>
  scene.driver.hooks.job(web.attempt({ stepId, ...changes }), {
    ...{ container: web.container, imageDigest: one.digest, image: one },
    work: jobWork.parse({ type: 'job', ...work }),
  });

const jobs = (): Promise<string[]> =>
  scene.cluster.list('jobs').then((all) => all.map((one) => one.metadata.name));
/** Without those that are removed already, and go with their pods: a kubelet takes its time. */
const stayingJobs = async (): Promise<string[]> =>
  (await scene.cluster.list('jobs'))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata }) => metadata.name);

test('a command runs in a pod, with its exit code and words', async () => {
  expect(await command(['sh', '-c', 'echo $OWN; echo $0 >&2', 'a b'])).toEqual({
    ...{ found: 'done_now', exitCode: 0 },
    said: ['own', 'a b'],
  });
  await expect(command(['sh', '-c', 'echo no; exit 7'])).rejects.toMatchObject({
    code: 'hook_failed',
    message: expect.stringMatching(
      /sh in web-\S+ on one ended with 7, not 0; it last said: no/,
    ) as string,
  });
  await expect(command(['/no/such'])).rejects.toMatchObject({ code: 'hook_failed' });
});

test('variables of a command reach it whole, and stand in no command line', async () => {
  const env = { A: `it's "$HOME" \\n\\\\ %s`, B: 'two\nlines\n', C: '' };
  const print = 'printf "<%s>" "$A" "$B" "$C"; cat; cat /proc/$$/cmdline | sha256sum >/dev/null';
  const { said } = await command(['sh', '-c', print], { env });
  expect(said.join('\n')).toBe(`<${env.A}><${env.B}><${env.C}>`);
});

test('the image of another version is not worked in', async () => {
  const other = `${one.digest.split('@')[0]}@sha256:${'0'.repeat(64)}`;
  await expect(command(['true'], {}, { imageDigest: other })).rejects.toMatchObject({
    code: 'drift',
    message: expect.stringContaining('has the image') as string,
  });
});

test('a job runs to its end, with its variables and the instance’s volumes, and is found again', async () => {
  const work = {
    entrypoint: ['sh', '-c'],
    command: [
      'echo $KEY; ls -d /shared; echo "$(cat /proc/self/status | grep -E "^[UG]id:" | sed "s/\\t/ /g")"',
    ],
    env: { KEY: 'very secret' },
    user: '1001:1002',
    volumesFrom: true,
  };
  const done = await job('h1/w1/web@one/migrate', work);
  expect(done).toMatchObject({ found: 'done_now', exitCode: 0 });
  expect(done.said.slice(0, 2)).toEqual(['very secret', '/shared']);
  expect((await job('h1/w1/web@one/migrate', work)).found).toBe('done_before');
  expect(await jobs()).toHaveLength(1);
  const pods = await scene.cluster.list('pods', '-l', 'job-name');
  expect(pods[0]?.spec.containers[0].securityContext).toMatchObject({
    runAsUser: 1001,
    runAsGroup: 1002,
  });
  expect(JSON.stringify([pods, await scene.cluster.list('jobs')])).not.toContain('very secret');
  const steps = ['h1/w1/web@one/migrate'];
  const remove = () =>
    scene.driver.hooks.removeJobs(web.attempt(), { container: web.container, steps });
  expect((await remove()).found).toBe('done_now');
  expect((await remove()).found).toBe('nothing_to_do');
  expect(await jobs()).toEqual([]);
  const secrets = await scene.cluster.list('secrets', '-l', 'liftlock.dev/role=job');
  expect(secrets).toEqual([]);
});

test('a job that fails tells its last words, and leaves nothing in the next one’s way', async () => {
  const work = { entrypoint: ['sh', '-c'], command: ['echo the table is locked; exit 4'] };
  await expect(job('fails', work)).rejects.toMatchObject({
    code: 'hook_failed',
    message: expect.stringMatching(
      /failed: it ended with exit code 4; it last said: the table is locked/,
    ) as string,
  });
  expect(await stayingJobs()).toEqual([]);
});

test('a job that was cut off between two calls is found, and runs once', async () => {
  const work = { entrypoint: ['sh', '-c'], command: ['echo $A'], env: { A: '1' } };
  for (const question of [2, 3]) {
    const cut = job('cut', work, crashAt(question));
    await expect(cut).rejects.toMatchObject({ code: 'fenced' });
  }
  expect((await job('cut', work)).said).toEqual(['1']);
  expect(await stayingJobs()).toHaveLength(1);
});

test('a job whose image is not there fails at once', async () => {
  const before = await stayingJobs();
  const image = { reference: `${one.reference}-gone`, id: `sha256:${'0'.repeat(64)}` };
  const failing = scene.driver.hooks.job(web.attempt({ stepId: 'gone' }), {
    ...{ container: web.container, image, work: jobWork.parse({ type: 'job' }) },
  });
  await expect(failing).rejects.toMatchObject({ code: 'image_missing' });
  expect(await stayingJobs()).toEqual(before);
});

test('a command in a pod goes through the proxy of a kubeconfig, with its certificate', async () => {
  const asked: string[] = [];
  const proxy = createServer();
  proxy.on('connect', ({ url = '' }, socket) => {
    asked.push(url);
    const server = connect(Number(url.split(':')[1]), url.split(':')[0], () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      server.pipe(socket).pipe(server);
    });
    for (const one of [socket, server]) one.on('error', () => server.destroy());
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const text = await scene.cluster.kubectl(['config', 'view', '--raw', '--flatten', '-o', 'json']);
  const kubeconfig = JSON.parse(text) as {
    readonly clusters: ReadonlyArray<{ readonly cluster: Record<string, unknown> }>;
    readonly 'current-context': string;
  };
  const through = kubeconfig.clusters.map(({ cluster }) => cluster);
  for (const way of [undefined, `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`]) {
    for (const cluster of through) cluster['proxy-url'] = way;
    const variables = { LIFTLOCK_SECRET_KUBECONFIG: JSON.stringify(kubeconfig) };
    const driver = await kubernetesDriver(new SecretStore({ variables }));
    const attempt = web.attempt();
    const target = {
      ...attempt.target,
      endpoint: `kubeconfig://${kubeconfig['current-context']}`,
      credentials: { kubeconfig: 'env:LIFTLOCK_SECRET_KUBECONFIG' },
    };
    const { said } = await driver.hooks.command(
      { ...attempt, target },
      {
        ...{ container: web.container, imageDigest: one.digest, onlyWhileRunning: false },
        work: commandWork.parse({ type: 'command', command: ['echo', 'here'] }),
      },
    );
    expect(said).toEqual(['here']);
    // a connection of its own, besides that of the requests
    if (way === undefined) expect(asked).toEqual([]);
    else expect(asked.length).toBeGreaterThan(1);
    await driver.close();
  }
  proxy.close();
});
