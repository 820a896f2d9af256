import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EmbeddedFleet } from '#fleet';
import { Cli } from '../support/cli.js';
import { startKubernetes, type TestCluster } from '../support/kubernetes.js';
import { PlainRepository, serviceImage } from '../support/registry-image.js';

const SLEEPS = `#!/bin/sh
trap 'exit 0' TERM INT
sleep 100000 & wait $!
`;
let folder: string;
let cluster: TestCluster;
let context: string;
let fleet: EmbeddedFleet;
let cli: Cli;
let repository: PlainRepository;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-adopt-kubernetes-'));
  cluster = await startKubernetes(true);
  context = (await cluster.kubectl(['config', 'current-context'])).trim();
  const env = { LIFTLOCK_SECRET_KUBECONFIG: kubeconfig(), ...cluster.secrets };
  fleet = await EmbeddedFleet.start({ folder, tied: true, fsync: false, env });
  // the person may do everything, the services what our role allows
  cli = new Cli({
    ...{ LIFTLOCK_SERVER: fleet.url, LIFTLOCK_TOKEN: fleet.token },
    KUBECONFIG: cluster.kubeconfig,
  });
  repository = new PlainRepository(cluster.registry, cluster.namespace);
  for (const version of ['1.0', '2.0'])
    await repository.push(version, await serviceImage(`${SLEEPS}# ${version}\n`));
  await cluster.apply(
    workload('Deployment', 'web', 2),
    workload('StatefulSet', 'db', 1),
    workload('Deployment', 'charted', 0, {
      labels: { 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: {
        ...{ 'meta.helm.sh/release-name': 'shop' },
        ...{ 'meta.helm.sh/release-namespace': cluster.namespace },
      },
    }),
  );
  for (const what of ['deployment/web', 'statefulset/db'])
    await cluster.kubectl(['rollout', 'status', what, '--timeout=300s']);
});
afterAll(async () => {
  await fleet?.stop();
  await cluster?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Of the account that is bound to our own role. */
function kubeconfig(): string {
  const ca = cluster.secrets['LIFTLOCK_SECRET_CA'] ?? '';
  const data = { server: cluster.endpoint, 'certificate-authority-data': btoa(ca) };
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': context },
    clusters: [{ name: 'one', cluster: data }],
    users: [{ name: 'liftlock', user: { token: cluster.secrets['LIFTLOCK_SECRET_TOKEN'] } }],
    contexts: [{ name: context, context: { cluster: 'one', user: 'liftlock' } }],
  });
}

function workload(kind: string, name: string, replicas: number, metadata: object = {}): object {
  const labels = { app: name };
  const image = `${repository.host}/${repository.name}:1.0`;
  const spec = { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image }] };
  return {
    ...{ apiVersion: 'apps/v1', kind, metadata: { name, ...metadata } },
    spec: {
      ...{ replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
      ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
    },
  };
}

const url = (): string => `kubernetes://${context}/${cluster.namespace}`;

it('what runs in a namespace is adopted, and upgraded by what was written', async () => {
  const file = join(folder, 'shop.yaml');
  const named = ['--environment', 'prod', '--application', 'shop'];
  const adopted = await cli.run(['adopt', url(), ...named, '-f', file]);
  expect(adopted.code, adopted.stderr).toBe(0);
  const text = readFileSync(file, 'utf8');
  expect(text).toContain('kubeconfig: env:LIFTLOCK_SECRET_KUBECONFIG');
  expect(text).not.toContain(cluster.secrets['LIFTLOCK_SECRET_TOKEN']);
  expect(text).toContain(
    `# ${cluster.namespace}/Deployment/charted belongs to helm:${cluster.namespace}/shop, and is left out`,
  );
  expect((await cli.run(['apply', '-f', file])).code).toBe(0);

  const digest = await repository.digest('2.0');
  const next = text
    .slice(text.indexOf('# ---'))
    .replaceAll(/^# ?/gm, '')
    // the fleet does not ask a registry that speaks plain HTTP what a tag is
    .replaceAll(/:NEXT"/g, `:2.0@${digest}"`)
    .replaceAll(/NEXT/gi, '2.0');
  writeFileSync(file, text + next);
  const applied = await cli.run(['apply', '-f', file]);
  expect(applied.code, applied.stderr).toBe(0);
  const planned = await cli.run(['plan', 'prod', 'shop', 'shop-2.0']);
  expect(planned.code, planned.stdout + planned.stderr).toBe(0);
  const upgraded = await cli.run(['upgrade', 'prod', 'shop', 'shop-2.0', '--yes', '--bake', '0']);
  expect(upgraded.code, upgraded.stdout + upgraded.stderr).toBe(0);
  expect(upgraded.stdout).toContain('1.0 --> 2.0');
  for (const [kind, name] of [
    ['deployment', 'web'],
    ['statefulset', 'db'],
  ] as const)
    expect((await cluster.get(kind, name)).spec.template.spec.containers[0].image).toContain(
      digest,
    );

  const again = await cli.run(['adopt', url(), ...named]);
  expect(again.code).not.toBe(0);
  expect(again.stderr).toContain('there is an application shop already');
  const owned = await cli.run([
    ...['adopt', url(), '--environment', 'prod', '--owned'],
    ...['--workload', 'Deployment/charted'],
  ]);
  expect(owned.code, owned.stderr).toBe(0);
  expect(owned.stdout).toContain('owner: taken');
  expect(owned.stdout).toContain('environment prod is stored already');
});

it('an API server may be named by its address, with references to what it is reached with', async () => {
  const references = ['ca=env:LIFTLOCK_SECRET_CA', 'token=env:LIFTLOCK_SECRET_TOKEN'];
  const adopted = await cli.run([
    ...['adopt', url(), '--environment', 'direct', '--workload', 'StatefulSet/db'],
    ...['--credential', ...references],
  ]);
  expect(adopted.code, adopted.stderr).toBe(0);
  expect(adopted.stdout).toContain(`endpoint: ${cluster.endpoint}`);
  expect(adopted.stdout).not.toContain('name: web');
});

it('what cannot be upgraded is refused by name, and nothing is written', async () => {
  await cluster.kubectl(['rollout', 'pause', 'deployment/web']);
  const file = join(folder, 'none.yaml');
  const refused = await cli.run(['adopt', url(), '--environment', 'other', '-f', file]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain(
    `${cluster.namespace}/Deployment/web cannot be upgraded: its rollouts are paused`,
  );
  expect(() => readFileSync(file)).toThrow('ENOENT');
  const missing = await cli.run(['adopt', url(), '--workload', 'Deployment/nobody']);
  expect(missing.stderr).toContain(`${cluster.namespace}/Deployment/nobody cannot be upgraded`);
  const wrong = await cli.run(['adopt', 'kubernetes://nowhere']);
  expect(wrong.stderr).toContain('kubernetes://CONTEXT/NAMESPACE');
  const unknown = await cli.run(['adopt', 'kubernetes://nowhere/elsewhere']);
  expect(unknown.stderr).toContain('context');
});
