import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '#kernel';
import { CRASHES, KubeScene, workload, type Changes } from './kube-scene.js';

let scene: KubeScene;
let one: { reference: string; digest: string };
let crashes: typeof one;

beforeAll(async () => {
  scene = await KubeScene.open();
  [one, crashes] = await Promise.all([scene.image('1.0'), scene.image('crashes', CRASHES)]);
});
afterAll(async () => {
  await scene.close();
});

/** A check's deadline is far away: what fails, fails by what was seen. */
async function failureOf(name: string, image: string, changes: Changes = {}, type = 'health') {
  const kind = name.startsWith('set') ? 'StatefulSet' : 'Deployment';
  await scene.cluster.apply(workload(kind, name, image, changes));
  const instance = await scene.instance(kind, name);
  const failed = await instance
    .check({ type, deadlineSeconds: 600 })
    .catch((error: unknown) => error);
  return failed as { code: string; message: string; details: Record<string, unknown> };
}

test.concurrent.for([
  {
    what: 'an image that is not there',
    image: () => `${one.reference}-not-there`,
    code: 'image_missing',
    message:
      /the pod gone-\S+ of Deployment \S+\/gone on one cannot run: \w+: .*not found.*; see that/,
    name: 'gone',
  },
  {
    what: 'a container that ends again and again',
    image: () => crashes.reference,
    code: 'container_exited',
    message:
      /CrashLoopBackOff: it ended with exit code 3; it last logged: cannot open \/data\/settings$/,
    name: 'loops',
  },
  {
    what: 'a Secret that its template names, and that is not there',
    image: () => one.reference,
    changes: { container: { envFrom: [{ secretRef: { name: 'nowhere' } }] } },
    code: 'check_failed',
    message:
      /CreateContainerConfigError: secret "nowhere" not found; create what its template names/,
    name: 'config',
  },
  {
    what: 'a volume that is not there',
    image: () => one.reference,
    changes: {
      pod: { volumes: [{ name: 'v', secret: { secretName: 'nowhere' } }] },
      container: { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
    },
    code: 'check_failed',
    message: /FailedMount: .*secret "nowhere" not found/,
    name: 'mount',
  },
  {
    what: 'a pod that no node takes',
    image: () => one.reference,
    changes: { container: { resources: { requests: { cpu: '1000' } } } },
    code: 'check_failed',
    message: /Unschedulable: 0\/\d+ nodes are available: .*Insufficient cpu.*; make room/,
    name: 'huge',
  },
  {
    what: 'a command that is not in the image',
    image: () => one.reference,
    changes: { container: { command: ['/no/such/program'] } },
    code: expect.stringMatching(/check_failed|container_exited/) as string,
    message: /(RunContainerError|CrashLoopBackOff): .*no such file or directory/s,
    name: 'command',
  },
])('fails in seconds, by its reason: $what', async ({ name, image, changes, code, message }) => {
  const failed = await failureOf(name, image(), changes);
  expect(failed).toMatchObject({ code, message: expect.stringMatching(message) as string });
});

test.concurrent('what becomes never ready fails at its deadline, with what the kubelet says', async () => {
  const changes = {
    container: {
      readinessProbe: {
        exec: { command: ['sh', '-c', 'echo no database; exit 1'] },
        periodSeconds: 1,
      },
    },
  };
  await scene.cluster.apply(workload('Deployment', 'unready', one.reference, changes));
  const unready = await scene.instance('Deployment', 'unready');
  const asked = ['--field-selector', 'reason=Unhealthy'];
  await waitFor(async () => (await scene.cluster.list('events', ...asked)).length > 0, {
    // how long a node takes to start a pod is no matter of the check's
    ...{ what: 'the kubelet asks whether it is ready', deadlineMs: 240_000, everyMs: 500 },
  });
  const failed = unready.check({ type: 'health', deadlineSeconds: 15 });
  await expect(failed).rejects.toMatchObject({
    code: 'check_failed',
    message: expect.stringMatching(
      /0 of 1 pods are available; unready-\S+ is not ready: Unhealthy: Readiness probe failed: no database/,
    ) as string,
  });
});

test('a quota of the namespace is named', async () => {
  const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'few' } };
  await scene.cluster.apply({ ...quota, spec: { hard: { 'requests.memory': '1Mi' } } });
  const changes = { container: { resources: { requests: { memory: '64Mi' } } } };
  const containers = [{ name: 'main', image: one.reference, ...changes.container }];
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'asks' }, spec: { containers } };
  const isRefused = async (): Promise<boolean> =>
    scene.cluster.kubectl(['create', '--dry-run=server', '-f', '-'], JSON.stringify(pod)).then(
      () => false,
      (error: unknown) => String(error).includes('exceeded quota'),
    );
  try {
    // it counts from when its controller has seen it
    await waitFor(isRefused, { what: 'the quota counts', deadlineMs: 240_000, everyMs: 200 });
    for (const name of ['quota', 'set-quota'])
      expect(await failureOf(name, one.reference, changes)).toMatchObject({
        code: 'target_refused',
        message: expect.stringMatching(
          /FailedCreate: .*exceeded quota: few.*; raise the quota/,
        ) as string,
      });
  } finally {
    await scene.cluster.kubectl(['delete', 'resourcequota', 'few']);
  }
});
