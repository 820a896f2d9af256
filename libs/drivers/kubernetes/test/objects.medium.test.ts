import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { objectWork } from '#contracts';
import type { StepContext } from '#drivers/core';
import type { KubeJson } from '../../../../test/support/kubernetes.js';
import { asWritten, expectToFindItself, KubeScene, Upgrading, workload } from './kube-scene.js';

let scene: KubeScene;
let web: Upgrading;
const folder = mkdtempSync(join(tmpdir(), 'liftlock-manifests-'));

beforeAll(async () => {
  scene = await KubeScene.open();
  web = new Upgrading(scene, 'Deployment', 'web', 'none');
  // what hooks of a document are about is for its author to allow
  await scene.cluster.allow('objects', [
    { apiGroups: ['apps'], resources: ['deployments'], verbs: ['create', 'delete'] },
    { apiGroups: [''], resources: ['configmaps'], verbs: ['patch'] },
  ]);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await scene.close();
});

/** A step, and its way back, each as the services would ask for it. */
function step(stepId: string, given: object, more: object = {}) {
  const { container } = web;
  const { namespace } = scene.cluster;
  const work = objectWork.parse(given);
  return {
    make: (changes: Partial<StepContext> = {}) =>
      scene.driver.hooks.object(web.attempt({ stepId, ...changes }), {
        ...{ container, namespace, work, recorded: true },
        ...more,
      }),
    back: (changes: Partial<StepContext> = {}) =>
      scene.driver.hooks.objectBack(web.attempt({ stepId: `back/${stepId}`, ...changes }), {
        ...{ container, namespace, work, undoes: stepId },
      }),
    forget: () =>
      scene.driver.hooks.forgetObjects(web.attempt(), {
        ...{ container, namespaces: [namespace], steps: [stepId] },
      }),
  };
}

const records = (): Promise<KubeJson[]> =>
  scene.cluster.list('secrets', '-l', 'liftlock.dev/role=object');
const dataOf = async (kind: string, name: string): Promise<Record<string, string>> =>
  (await scene.cluster.get(kind, name)).data;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('keys of a ConfigMap are merged, found again, and taken back where nobody else changed them', async () => {
  await scene.cluster.apply({
    ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kbs' } },
    data: { KEPT: '1', OLD: 'old', GONE: 'here' },
  });
  const data = { KMIP_HOSTNAME: 'kmip', OLD: 'new', GONE: null };
  const merge = step('merge', { type: 'merge', object: 'ConfigMap/kbs', data });
  expect(await expectToFindItself(merge.make)).toBe(1);
  expect(await dataOf('configmap', 'kbs')).toEqual({
    KEPT: '1',
    OLD: 'new',
    KMIP_HOSTNAME: 'kmip',
  });
  await scene.cluster.kubectl([
    'patch',
    'configmap',
    'kbs',
    '-p',
    '{"data":{"OTHERS":"2","OLD":"theirs"}}',
  ]);
  await expect(merge.back()).rejects.toMatchObject({
    code: 'hook_failed',
    message: expect.stringMatching(/^OLD of ConfigMap \S+\/kbs was changed since/) as string,
  });
  await scene.cluster.kubectl(['patch', 'configmap', 'kbs', '-p', '{"data":{"OLD":"new"}}']);
  await expectToFindItself(merge.back);
  expect(await dataOf('configmap', 'kbs')).toEqual({
    KEPT: '1',
    OLD: 'old',
    GONE: 'here',
    OTHERS: '2',
  });
  expect(await records()).toEqual([]);
  const missing = step('missing', { type: 'merge', object: 'ConfigMap/none', data: { A: '1' } });
  await expect(missing.make()).rejects.toMatchObject({ code: 'hook_failed' });
});

test('a Secret is made anew, also one that cannot be changed, and is back with its type', async () => {
  await scene.cluster.apply({
    ...{
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'kbs-secret', labels: { app: 'kbs' } },
    },
    ...{ type: 'example.com/own', immutable: true, data: { PASSWORD: base64('old') } },
  });
  const before = await scene.cluster.get('secret', 'kbs-secret');
  const data = { USERNAME: 'kmip', PASSWORD: 'new' };
  const secret = step('secret', {
    type: 'secret',
    object: 'Secret/kbs-secret',
    replace: true,
    data,
  });
  expect(await expectToFindItself(secret.make)).toBeGreaterThan(0);
  expect(await dataOf('secret', 'kbs-secret')).toEqual({
    USERNAME: base64('kmip'),
    PASSWORD: base64('new'),
  });
  await expectToFindItself(secret.back);
  const { data: now, type, immutable, metadata } = await scene.cluster.get('secret', 'kbs-secret');
  expect({ now, type, immutable, labels: metadata.labels }).toEqual({
    ...{ now: before.data, type: before.type, immutable: true, labels: { app: 'kbs' } },
  });
});

test('a Secret that was not there goes again; what nothing takes back leaves no record', async () => {
  const made = step('made', {
    type: 'secret',
    object: 'Secret/fresh',
    replace: true,
    data: { A: '1' },
  });
  expect((await made.make()).found).toBe('done_now');
  expect((await made.back()).found).toBe('done_now');
  expect((await made.back()).found).toBe('nothing_to_do');
  const names = (await scene.cluster.list('secrets')).map(
    ({ metadata }: KubeJson) => metadata.name,
  );
  expect(names).not.toContain('fresh');
  const kept = step('kept', {
    type: 'secret',
    object: 'Secret/fresh',
    replace: true,
    data: { A: '1' },
  });
  await kept.make();
  expect(await records()).toHaveLength(1);
  expect((await kept.forget()).found).toBe('done_now');
  expect(await records()).toEqual([]);
});

test('an object that was deleted is made again as it was', async () => {
  const labels = { app: 'gone', 'example.com/team': 'one' };
  await scene.cluster.apply(
    workload('Deployment', 'gone', 'none:1', { replicas: 0, metadata: { labels } }),
  );
  const before = await scene.cluster.get('deployment', 'gone');
  const gone = step('delete', { type: 'delete', object: 'Deployment/gone' });
  expect(await expectToFindItself(gone.make)).toBe(1);
  expect(await expectToFindItself(gone.back)).toBeGreaterThan(0);
  const now = await scene.cluster.get('deployment', 'gone');
  expect(now.metadata.uid).not.toBe(before.metadata.uid);
  expect(asWritten(now)).toEqual(asWritten(before));
  const absent = step('absent', { type: 'delete', object: 'Deployment/never' });
  expect((await absent.make()).found).toBe('nothing_to_do');
  const claim = step('claim', { type: 'delete', object: 'PersistentVolumeClaim/data' });
  await expect(claim.make()).rejects.toMatchObject({ code: 'hook_failed' });
});

test('a custom resource is patched, waited for, and taken back', async () => {
  await define('site');
  const site = {
    ...{ apiVersion: 'example.com/v1', kind: 'Site', metadata: { name: 'one' } },
    spec: { template: 'a-1', nested: { kept: 1, gone: 2 }, list: [1, 2] },
  };
  await scene.cluster.apply(site);
  const patch = { spec: { template: 'a-2', nested: { gone: null, fresh: 3 }, list: [3] } };
  const wait = (until: object, seconds = 60) =>
    step(`patch-${seconds}`, {
      type: 'patch',
      object: 'Site.example.com/one',
      patch,
      until,
      deadlineSeconds: seconds,
    });
  const ready = { condition: 'Ready' };
  await expect(wait(ready, 1).make()).rejects.toMatchObject({
    message: expect.stringMatching(
      /Site \S+\/one did not become .*Ready True.* within 1 s; last seen: no condition Ready/,
    ) as string,
  });
  const says = (phase: string, status: string) =>
    scene.cluster.kubectl([
      'patch',
      'site',
      'one',
      '--type=merge',
      '-p',
      JSON.stringify({
        status: { phase, conditions: [{ type: 'Ready', status, reason: 'Told', message: 'so' }] },
      }),
    ]);
  await says('Pending', 'False');
  await expect(wait(ready, 2).make()).rejects.toMatchObject({
    message: expect.stringContaining('Ready is False (Told: so)') as string,
  });
  const told = wait({
    jsonPath: '{.status.conditions[?(@.type=="Ready")].status}',
    equals: 'True',
  });
  const making = told.make();
  await says('Done', 'True');
  expect((await making).found).toBe('nothing_to_do');
  const back = wait(ready, 1).back;
  expect(await expectToFindItself(back)).toBeGreaterThanOrEqual(1);
  expect((await scene.cluster.get('site', 'one')).spec).toEqual(site.spec);
  await expect(
    step('kind', { type: 'patch', object: 'Nothing/one', patch: {} }).make(),
  ).rejects.toMatchObject({
    message: expect.stringContaining('has no kind Nothing') as string,
  });
  // one whose definition came when its group had been asked which kinds it has
  await define('thing');
  await scene.cluster.apply({ ...site, kind: 'Thing' });
  const later = step('thing', { type: 'patch', object: 'Thing.example.com/one', patch });
  expect((await later.make()).found).toBe('done_now');
});

test('a folder is built by kubectl, pinned, applied, and taken back', async () => {
  const files = join(folder, 'web');
  mkdirSync(files);
  const configMap = (data: object): string =>
    JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data });
  writeFileSync(join(files, 'settings.yaml'), configMap({ A: 'new' }));
  writeFileSync(join(files, 'fresh.yaml'), configMap({ B: '1' }).replace('settings', 'fresh'));
  writeFileSync(
    join(files, 'kustomization.yaml'),
    'namePrefix: my-\nresources: [settings.yaml, fresh.yaml]\n',
  );
  await scene.cluster.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'my-settings' },
    data: { A: 'old' },
  });
  const { namespace, endpoint, credentials } = scene.cluster;
  const target = {
    name: 'one',
    driver: 'kubernetes' as const,
    site: 'main',
    endpoint,
    credentials,
  };
  const { manifests } = await scene.driver.instances.observe(
    {
      target,
      containers: [],
      images: [],
      manifests: [
        { path: files, namespace },
        { path: '/nowhere', namespace },
      ],
    },
    AbortSignal.timeout(60_000),
  );
  expect(manifests).toMatchObject([
    { path: files, objects: ['ConfigMap/my-fresh', 'ConfigMap/my-settings'] },
    { path: '/nowhere', problem: expect.stringContaining('cannot be read') as string },
  ]);
  const digest = manifests?.[0]?.digest;
  const owned = step('owned', { type: 'apply', path: files }, { digest });
  await expect(owned.make()).rejects.toMatchObject({
    message: expect.stringMatching(
      /ConfigMap \S+\/my-settings is not applied, since others own what it sets: \.data\.A .*kubectl/,
    ) as string,
  });
  // nothing of it was: not even what nobody owns
  await expect(scene.cluster.get('configmap', 'my-fresh')).rejects.toThrow('not found');
  const apply = step('apply', { type: 'apply', path: files, force: true }, { digest });
  expect(await expectToFindItself(apply.make)).toBeGreaterThan(0);
  expect(await dataOf('configmap', 'my-settings')).toEqual({ A: 'new' });
  await expectToFindItself(apply.back);
  expect(await dataOf('configmap', 'my-settings')).toEqual({ A: 'old' });
  await expect(scene.cluster.get('configmap', 'my-fresh')).rejects.toThrow('not found');
  writeFileSync(join(files, 'fresh.yaml'), configMap({ B: '2' }).replace('settings', 'fresh'));
  await expect(apply.make()).rejects.toMatchObject({ code: 'drift' });
});

/** A custom resource definition, and what our account may do with it. */
async function define(singular: string): Promise<void> {
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const kind = `${singular[0]?.toUpperCase()}${singular.slice(1)}`;
  const plural = `${singular}s`;
  const names = { plural, singular, kind, listKind: `${kind}List` };
  const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } };
  await scene.cluster.apply({
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
    metadata: { name: `${plural}.example.com` },
    spec: { group: 'example.com', scope: 'Namespaced', names, versions: [version] },
  });
  await scene.cluster.kubectl([
    'wait',
    '--for=condition=Established',
    `crd/${plural}.example.com`,
    '--timeout=60s',
  ]);
  await scene.cluster.allow(plural, [
    { apiGroups: ['example.com'], resources: [plural], verbs: ['get', 'patch'] },
  ]);
}
