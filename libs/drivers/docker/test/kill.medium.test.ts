import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, rmSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { dockerDriver } from '#drivers/docker';
import { waitFor } from '#kernel';
import { RUN_SOURCE } from '../../../../test/support/run-source.js';
import { damage, newFolder, plantTree, treeDigest } from '../../../../test/support/data-tree.js';
import { cleanUp, openEngine } from '../../../../test/support/engine-client.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextOf } from '../../../../test/support/step-context.js';

const PREFIX = 'dkkill';
const IMAGE = 'liftlock-test-kill:1.0';
const folder = newFolder();
const archive = `${folder}.tar.zst`;

afterEach(async () => {
  const { docker } = await openEngine();
  await cleanUp(docker, PREFIX);
  await docker.getImage(IMAGE).remove({ force: true });
  rmSync(folder, { recursive: true, force: true });
  rmSync(archive, { force: true });
});

test('a process killed in mid-restore leaves a helper that ends and goes by itself, and the next one begins anew', async () => {
  const { docker, endpoint } = await openEngine();
  const driver = await dockerDriver();
  const image = await serviceImage(docker, IMAGE, '1.0');
  await plantTree(folder);
  const digest = treeDigest(folder);
  const container = `${PREFIX}-one`;
  const { id: containerId } = await docker.createContainer({
    name: container,
    Image: image,
    HostConfig: { Binds: [`${folder}:/data`] },
  });
  const source = { container, containerId, keptName: `${container}-kept`, paths: ['/data'] };
  const first = contextOf(endpoint);
  await writeFile(archive, await driver.data.read(first, source));
  damage(folder);
  const helpers = () =>
    docker.listContainers({
      all: true,
      filters: { label: ['dev.liftlock.role=helper', `dev.liftlock.of=${containerId}`] },
    });
  const untilNone = (what: string) =>
    waitFor(async () => (await helpers()).length === 0, { what, deadlineMs: 60_000 });
  // the one that read is removed in the background
  await untilNone('the helper that read is gone');
  const half = statSync(archive).size >> 1;
  const child = fork(
    fileURLToPath(import.meta.resolve('./restoring-child.ts')),
    [endpoint, first.upgrade, container, containerId, archive, String(half)],
    { execArgv: [...RUN_SOURCE] },
  );
  await once(child, 'message');
  expect(await helpers()).toHaveLength(1);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await untilNone('the helper is gone by itself');
  expect(treeDigest(folder)).not.toBe(digest);
  const second = contextOf(endpoint, { upgrade: first.upgrade, token: 2 });
  expect(await driver.data.usedBy(second, source)).toEqual([]);
  await driver.data.write(second, source, createReadStream(archive));
  expect(treeDigest(folder)).toBe(digest);
  await driver.close();
});
