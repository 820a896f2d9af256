import { fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LiftlockError, systemIds, waitFor } from '#kernel';
import { SecretStore, type DataSource, type StepContext } from '#drivers/core';
import { kubernetesDriver } from '#drivers/kubernetes';
import {
  damage,
  newFolder,
  plantTree,
  treeDigest,
  treeLines,
} from '../../../../test/support/data-tree.js';
import { RUN_SOURCE } from '../../../../test/support/run-source.js';
import { KubeScene, SLEEPS } from './kube-scene.js';

let scene: KubeScene;
let image: { reference: string };
const folders: string[] = [];
beforeAll(async () => {
  scene = await KubeScene.open();
  image = await scene.image('1.0', SLEEPS);
  await scene.pushHelper();
});
afterAll(async () => {
  await scene?.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A Deployment with a claim on a folder, at `/data`. */
async function withClaim(name: string, replicas = 0) {
  const folder = newFolder();
  folders.push(folder);
  const { namespace } = scene.cluster;
  const volume = `${namespace}-${name}`;
  const capacity = { storage: '1Gi' };
  await scene.cluster.apply(
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: volume },
      spec: {
        ...{ capacity, accessModes: ['ReadWriteOnce'], storageClassName: '' },
        hostPath: { path: folder },
        claimRef: { namespace, name },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name },
      spec: {
        ...{ accessModes: ['ReadWriteOnce'], storageClassName: '', volumeName: volume },
        resources: { requests: capacity },
      },
    },
  );
  const upgrading = await scene.start('Deployment', name, image.reference, {
    replicas,
    container: { volumeMounts: [{ name: 'data', mountPath: '/data', readOnly: true }] },
    pod: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: name } }] },
  });
  const { container, containerId, keptName } = upgrading;
  const source: DataSource = { container, containerId, keptName, paths: ['/data'] };
  return { folder, source, upgrading };
}

/** Those at work: the object of one that has ended stays until its node has tidied up. */
const helpers = (): Promise<unknown[]> =>
  scene.cluster.list(
    ...(['pods', '-l', 'liftlock.dev/role=helper'] as const),
    '--field-selector=status.phase!=Failed,status.phase!=Succeeded',
  );
const untilNoHelpers = (): Promise<boolean> =>
  waitFor(async () => (await helpers()).length === 0, {
    // a kubelet of 1.20 may be late to end one
    ...{ what: 'no helper pod', deadlineMs: 240_000 },
  });

function attempts(): (changes?: Partial<StepContext>) => ReturnType<KubeScene['context']> {
  const upgrade = systemIds.next('upg');
  let token = 0;
  return (changes = {}) => scene.context({ upgrade, token: (token += 1), ...changes });
}

test('data on a claim is brought back, exactly, by a pod that goes afterwards', async () => {
  const { folder, source } = await withClaim('exact');
  await plantTree(folder);
  writeFileSync(join(folder, 'noise'), randomBytes(24 * 1024 * 1024));
  const before = { lines: treeLines(folder), digest: treeDigest(folder) };
  const attempt = attempts();
  const { data } = scene.driver;
  const context = attempt();
  expect(await data.usedBy(context, source)).toEqual([]);
  const read = await data.readMeasured?.(context, source, async (space) => space);
  // it is at work: of one that is not, only a moment is left
  expect(await helpers()).toHaveLength(1);
  const archive = await buffer(read?.archive ?? Readable.from([]));
  const list = await read?.entries;
  expect(list).toHaveLength(before.lines.length);
  expect(read?.room).toMatchObject({ entries: before.lines.length });
  expect(archive.length).toBeGreaterThan(24 * 1024 * 1024);
  expect(await data.origin(context, source)).toMatchObject({
    image: { reference: image.reference },
    mounts: [{ destination: '/data', kind: 'volume', source: `${scene.cluster.namespace}/exact` }],
  });
  damage(folder);
  const restoring = attempt();
  await data.write(restoring, source, Readable.from([archive]), 'one');
  expect(readFileSync(join(folder, '.liftlock-aside-one/data/plain'), 'utf8')).toBe('PLAIN\n');
  await data.settle(restoring, source, ['one']);
  expect(treeLines(folder)).toEqual(before.lines);
  expect(treeDigest(folder)).toBe(before.digest);
  const after = await data.list(restoring, source);
  expect(after.map(({ path, sha256 }) => [path, sha256])).toEqual(
    list?.map(({ path, sha256 }) => [path, sha256]),
  );
  await untilNoHelpers();
});

test('every pod that mounts the data is named, by whatever claim, until it has ended', async () => {
  const { folder, source, upgrading } = await withClaim('used', 1);
  writeFileSync(join(folder, 'file'), 'file');
  const attempt = attempts();
  const { data } = scene.driver;
  expect(await data.usedBy(attempt(), source)).toEqual([expect.stringMatching(/^used-/)]);
  // whoever asks by hand has a name only
  const { container, containerId } = source;
  const byName = { container, containerId: container };
  expect(await data.look?.(attempt(), byName)).toEqual({ state: 'running', containerId });
  await upgrading.stop();
  expect(await data.look?.(attempt(), byName)).toEqual({ state: 'stopped', containerId });
  expect(await data.usedBy(attempt(), source)).toEqual([]);
  await scene.cluster.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'other' },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          ...{ name: 'main', image: image.reference },
          volumeMounts: [{ name: 'data', mountPath: '/x' }],
        },
      ],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'used' } }],
    },
  });
  expect(await data.usedBy(attempt(), source)).toEqual(['other']);
  await scene.cluster.kubectl(['delete', 'pod', 'other', '--wait']);
  expect(await data.usedBy(attempt(), source)).toEqual([]);
});

test('a helper that an earlier attempt left is removed before anything is done', async () => {
  const { folder, source } = await withClaim('left');
  writeFileSync(join(folder, 'noise'), randomBytes(8 * 1024 * 1024));
  const attempt = attempts();
  const { data } = scene.driver;
  const first = attempt();
  const stream = await data.read(first, source);
  expect(await helpers()).toHaveLength(1);
  const cut = buffer(stream).then(
    () => 'whole',
    (error: unknown) => LiftlockError.from(error).code,
  );
  expect(await data.usedBy(attempt(), source)).toEqual([]);
  expect(await helpers()).toEqual([]);
  // it may have been read to its end before; it is never short without an error
  expect(['whole', 'target_unreachable']).toContain(await cut);
});

test('an attempt that is ended ends with its reason, and its helper goes', async () => {
  const { folder, source } = await withClaim('ended');
  mkdirSync(join(folder, 'below'));
  writeFileSync(join(folder, 'noise'), randomBytes(8 * 1024 * 1024));
  const attempt = attempts();
  const { data } = scene.driver;
  const archive = await buffer(await data.read(attempt(), source));
  const digest = treeDigest(folder);
  const reason = new LiftlockError('fenced', 'a later attempt has taken over');
  const abort = new AbortController();
  const writing = data.write(
    attempt({ signal: abort.signal }),
    source,
    Readable.from(
      (async function* () {
        yield archive.subarray(0, archive.length >> 1);
        abort.abort(reason);
        yield archive.subarray(archive.length >> 1);
      })(),
    ),
    'one',
  );
  await expect(writing).rejects.toBe(reason);
  await untilNoHelpers();
  const again = attempt();
  await data.write(again, source, Readable.from([archive]), 'one');
  await data.settle(again, source, ['one']);
  expect(treeDigest(folder)).toBe(digest);
});

test('what goes on changing is read all the same, and listed around it', async () => {
  const { folder, source } = await withClaim('changing');
  const file = join(folder, 'growing');
  writeFileSync(file, randomBytes(16 * 1024 * 1024));
  const attempt = attempts();
  const { data } = scene.driver;
  const growing = setInterval(() => appendFileSync(file, 'more'), 0);
  try {
    const before = await data.listChanging?.(attempt(), source);
    const archive = await data.readChanging?.(attempt(), source);
    expect((await buffer(archive ?? Readable.from([]))).length).toBeGreaterThan(16 * 1024 * 1024);
    const after = await data.listChanging?.(attempt(), source);
    const sizes = [before, after].map(
      (list) => list?.find(({ path }) => path.endsWith('/growing'))?.size ?? 0,
    );
    expect(sizes[0]).toBeGreaterThan(0);
    expect(sizes[1]).toBeGreaterThan(sizes[0] ?? 0);
  } finally {
    clearInterval(growing);
  }
  await untilNoHelpers();
});

test('what an archive lacks, a path that is on no claim, and an image without tools are told', async () => {
  const { folder, source } = await withClaim('told');
  writeFileSync(join(folder, 'file'), 'file');
  const attempt = attempts();
  const { data } = scene.driver;
  const archive = await buffer(await data.read(attempt(), source));
  await expect(
    data.write(attempt(), source, Readable.from([archive.subarray(0, 50)]), 'one'),
  ).rejects.toMatchObject({ code: 'data_corrupt' });
  await expect(data.list(attempt(), { ...source, paths: ['/elsewhere'] })).rejects.toMatchObject({
    code: 'data_missing',
    message: expect.stringContaining('is on no PersistentVolumeClaim') as string,
  });
  const secrets = new SecretStore({ variables: scene.cluster.secrets });
  for (const [helper, said] of [
    [image.reference, 'has no zstd: it needs'],
    [undefined, 'name its image, with sh, GNU tar'],
    [`${scene.cluster.registry}/not/there:1`, 'does not run: '],
  ] as const) {
    const other = await kubernetesDriver(secrets, helper);
    await expect(other.data.list(attempt(), source)).rejects.toMatchObject({
      code: helper?.includes('/not/there') === true ? 'image_missing' : 'misconfigured',
      message: expect.stringContaining(said) as string,
    });
    await other.close();
  }
  await untilNoHelpers();
});

test('a service that is killed in the middle of a restore leaves what the next one removes, and begins anew', async () => {
  const { folder, source } = await withClaim('killed');
  await plantTree(folder);
  writeFileSync(join(folder, 'noise'), randomBytes(8 * 1024 * 1024));
  const digest = treeDigest(folder);
  const attempt = attempts();
  const { data } = scene.driver;
  const first = attempt();
  const archive = await buffer(await data.read(first, source));
  const kept = `${folder}.tar.zst`;
  folders.push(kept);
  writeFileSync(kept, archive);
  damage(folder);
  const child = fork(fileURLToPath(import.meta.resolve('./restoring-child.ts')), {
    execArgv: [...RUN_SOURCE],
  });
  const { upgrade, target } = first;
  child.send({
    ...{ upgrade, target, source, archive: kept, bytes: archive.length >> 1 },
    secrets: scene.cluster.secrets,
    helper: scene.helper,
  });
  await once(child, 'message');
  child.kill('SIGKILL');
  expect(await helpers()).not.toEqual([]);
  const again = attempt();
  expect(await data.usedBy(again, source)).toEqual([]);
  expect(await helpers()).toEqual([]);
  await data.write(again, source, Readable.from([archive]), 'one');
  expect(readFileSync(join(folder, '.liftlock-aside-one/data/plain'), 'utf8')).toBe('PLAIN\n');
  await data.settle(again, source, ['one']);
  expect(treeDigest(folder)).toBe(digest);
});
