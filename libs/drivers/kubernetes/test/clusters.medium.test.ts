import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { SecretStore, type Driver } from '#drivers/core';
import { kubernetesDriver } from '#drivers/kubernetes';
import { waitFor } from '#kernel';
import { FlakyServer } from '../../../../test/support/flaky-api-server.js';
import { KubeScene, workload } from './kube-scene.js';

let scene: KubeScene;
let flaky: FlakyServer;
let one: { reference: string; digest: string };
let two: typeof one;
const drivers: Driver[] = [];

beforeAll(async () => {
  scene = await KubeScene.open();
  flaky = await FlakyServer.before(scene.cluster);
  [one, two] = await Promise.all([scene.image('1.0'), scene.image('2.0')]);
});
afterEach(async () => {
  flaky.refuse = () => undefined;
  flaky.loses = () => false;
  for (const driver of drivers.splice(0)) await driver.close();
});
afterAll(async () => {
  await flaky.close();
  await scene.close();
});

const signal = (): AbortSignal => AbortSignal.timeout(60_000);

/** A driver, and a target for it, that are reached so. */
async function reachedBy(
  endpoint: string,
  variables: Record<string, string>,
): Promise<{ driver: Driver; target: object; look(...containers: string[]): Promise<unknown> }> {
  const driver = await kubernetesDriver(new SecretStore({ variables }));
  drivers.push(driver);
  const credentials = Object.fromEntries(
    Object.keys(variables).map((name) => [
      name.replace('LIFTLOCK_SECRET_', '').toLowerCase(),
      `env:${name}`,
    ]),
  );
  const target = {
    name: 'one',
    driver: 'kubernetes' as const,
    site: 'main',
    endpoint,
    credentials,
  };
  const look = (...containers: string[]) =>
    driver.instances.observe({ target, containers, images: [] }, signal());
  return { driver, target, look };
}

const throughFlaky = (token = scene.cluster.secrets['LIFTLOCK_SECRET_TOKEN'] ?? '') => {
  const variables = { LIFTLOCK_SECRET_CA: flaky.ca, LIFTLOCK_SECRET_TOKEN: token };
  return reachedBy(flaky.endpoint, variables).then((reached) => ({ ...reached, variables }));
};

test('a context of a kubeconfig with certificates, and what runs there', async () => {
  const kubeconfig = readFileSync(scene.cluster.kubeconfig, 'utf8');
  const context = (await scene.cluster.kubectl(['config', 'current-context'])).trim();
  const { look } = await reachedBy(`kubeconfig://${context}`, {
    LIFTLOCK_SECRET_KUBECONFIG: kubeconfig,
  });
  expect(await look()).toMatchObject({
    engine: { name: 'kubernetes', version: expect.stringMatching(/^v1\./) as string },
    nodes: expect.any(Number) as number,
  });
});

test.each([
  [
    'another context',
    'kubeconfig://elsewhere',
    (text: string) => text,
    /has no context elsewhere, but: /,
  ],
  ['no YAML', 'kubeconfig://test', () => '{{', /it is no kubeconfig/],
  [
    'an exec plugin',
    'kubeconfig://test',
    (text: string) =>
      text.replace(
        /user: \{[^}]*\}/,
        'user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}}',
      ),
    /its user admin has an exec plugin \(aws\): no program is run for it/,
  ],
  [
    'a server that nobody proves',
    'kubeconfig://test',
    (text: string) =>
      text.replace(/certificate-authority-data: [^}]+/, 'insecure-skip-tls-verify: true'),
    /says insecure-skip-tls-verify: give it certificate-authority-data/,
  ],
  [
    'a token that YAML takes for a number',
    'kubeconfig://test',
    (text: string) => text.replace('token: c2VjcmV0', 'token: 20260101'),
    /token of its context is no text: put it into quotes/,
  ],
  [
    'files',
    'kubeconfig://test',
    (text: string) =>
      text.replace(/certificate-authority-data: [^}]+/, 'certificate-authority: /etc/ca.pem'),
    /names files \(\/etc\/ca.pem\): write them into it/,
  ],
])(
  'a kubeconfig with %s is refused, and not repeated',
  async (_what, endpoint, change, message) => {
    const kubeconfig = change(KUBECONFIG);
    const { look } = await reachedBy(endpoint, { LIFTLOCK_SECRET_KUBECONFIG: kubeconfig });
    const refused = (await look().catch((error: unknown) => error)) as Error;
    expect(refused).toMatchObject({
      code: 'misconfigured',
      message: expect.stringMatching(message) as string,
    });
    expect(refused.message).not.toContain('c2VjcmV0');
  },
);

const KUBECONFIG = `
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:1", certificate-authority-data: c2VjcmV0}}]
users: [{name: admin, user: {token: c2VjcmV0}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
`;

test('an authority that did not sign, a token that is not taken, and nobody there', async () => {
  const { LIFTLOCK_SECRET_TOKEN: token = '' } = scene.cluster.secrets;
  const wrong = await reachedBy(scene.cluster.endpoint, {
    LIFTLOCK_SECRET_CA: flaky.ca,
    LIFTLOCK_SECRET_TOKEN: token,
  });
  await expect(wrong.look()).rejects.toMatchObject({ code: 'target_untrusted' });
  const expired = await throughFlaky('no-token');
  await expect(expired.look()).rejects.toMatchObject({
    code: 'target_refused',
    message: expect.stringContaining('replace the secret') as string,
  });
  const nobody = await reachedBy('https://127.0.0.1:9', expired.variables);
  await expect(nobody.look()).rejects.toMatchObject({ code: 'target_unreachable' });
});

test('what its role does not allow is told with the way out', async () => {
  await expect(scene.observe('kube-system/Deployment/any')).rejects.toMatchObject({
    code: 'target_refused',
    message: expect.stringMatching(
      /cannot list resource "deployments".*; bind the role of deploy/,
    ) as string,
  });
});

test('a token that expired in the middle is read anew, and 429, 503 and lost answers are survived', async () => {
  const web = await scene.start('Deployment', 'web', one.reference);
  const { driver, target, variables } = await throughFlaky();
  const at = (changes: object = {}) => web.attempt({ target, ...changes } as object);
  const { container, containerId, keptName } = web;
  const planned = { container, containerId, keptName };
  let busy = 0;
  flaky.refuse = (asked) => {
    busy += 1;
    if (busy % 3 === 0) return { status: 429, retryAfter: 0.05 };
    return asked.startsWith('GET') && busy % 5 === 0 ? { status: 503 } : undefined;
  };
  const lost = new Set(['POST', 'PUT']);
  // one that is refused, since the workload's controller wrote its status in between, changes nothing
  flaky.loses = (asked, status) => status < 400 && lost.delete(asked.split(' ')[0] ?? '');
  expect((await driver.instances.stop(at(), planned)).found).toMatch(/^done/);
  expect(lost.size).toBe(0);
  expect(await web.pods()).toEqual([]);
  flaky.refuse = (_asked, { authorization }) =>
    authorization === 'Bearer expired'
      ? { status: 401, reason: 'Unauthorized', message: 'Unauthorized' }
      : undefined;
  const { LIFTLOCK_SECRET_TOKEN: token } = variables;
  variables.LIFTLOCK_SECRET_TOKEN = 'expired';
  const replace = () => driver.instances.replace(at(), { ...planned, image: two, env: {} });
  await expect(replace()).rejects.toMatchObject({ code: 'target_refused' });
  variables.LIFTLOCK_SECRET_TOKEN = token;
  expect((await replace()).found).toBe('done_now');
  expect(await web.image()).toBe(two.digest);
});

test('an API server that goes away in the middle of a check is waited for, and the watches resume', async () => {
  await scene.cluster.apply(workload('Deployment', 'slow', one.reference, { replicas: 0 }));
  const slow = await scene.instance('Deployment', 'slow');
  const { driver, target } = await throughFlaky();
  flaky.asked.length = 0;
  const check = { type: 'health' as const, deadlineSeconds: 60, intervalMs: 100, stableSeconds: 0 };
  const context = slow.attempt({ target } as object);
  const checking = driver.checks.check(context, { container: slow.container, check });
  const watches = () => flaky.asked.filter((asked) => asked.includes('watch=true')).length;
  await waitFor(() => watches() >= 2, { what: 'it watches', deadlineMs: 60_000 });
  flaky.cut();
  await waitFor(() => watches() >= 4, { what: 'it watches again', deadlineMs: 60_000 });
  await flaky.stop();
  await scene.cluster.kubectl(['scale', 'deployment/slow', '--replicas=1']);
  await scene.cluster.kubectl(['rollout', 'status', 'deployment/slow', '--timeout=240s']);
  await flaky.start();
  expect(await checking).toMatchObject({ detail: '1 of 1 pods are new and available' });
});

test('so many requests an instance takes, however long it is looked at', async () => {
  const counted = await scene.start('Deployment', 'counted', one.reference);
  const { driver, target } = await throughFlaky();
  flaky.asked.length = 0;
  const { container, containerId, keptName } = counted;
  const at = () => counted.attempt({ target } as object);
  await driver.instances.stop(at(), { container, containerId, keptName });
  await driver.instances.replace(at(), { container, containerId, keptName, image: two, env: {} });
  // while a node takes its time to start a pod, events are asked for that may tell why
  await scene.cluster.kubectl(['rollout', 'status', 'deployment/counted', '--timeout=240s']);
  const check = { type: 'running' as const, deadlineSeconds: 60, intervalMs: 50, stableSeconds: 3 };
  const { looks } = await driver.checks.check(at(), { container, check });
  expect(looks).toBeGreaterThan(5);
  // stop: record, workload, two followed things, its ReplicaSets; replace: record, workload; check: two followed things, ReplicaSets
  expect(flaky.asked.length).toBeLessThanOrEqual(24);
});
