import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { dockerDriver } from '#drivers/docker';
import type { Driver } from '#drivers/core';
import { newFolder } from '../../../../test/support/data-tree.js';
import { cleanUp, openEngine } from '../../../../test/support/engine-client.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { startSecondIsOver } from '../../../../test/support/start-second.js';
import { REFERENCE, startInstance, type Started } from './upgrade-scene.js';

const PREFIX = 'dkasleft';
let docker: Docker;
let endpoint: string;
let driver: Driver;
let image: string;
let folder: string;

beforeAll(async () => {
  ({ docker, endpoint } = await openEngine());
  driver = await dockerDriver();
  const reference = await serviceImage(docker, `liftlock-test-${PREFIX}:1.0`, '1.0');
  image = (await docker.getImage(reference).inspect()).Id;
});
afterEach(async () => {
  await cleanUp(docker, PREFIX);
  rmSync(folder, { recursive: true, force: true });
});
afterAll(() => driver?.close());

/** Stopped by its upgrade, with what it last wrote. */
async function stoppedOld(name: string): Promise<Started> {
  folder = newFolder();
  const scene = { docker, endpoint, driver, oldImage: image, newImage: image };
  const one = await startInstance(scene, `${PREFIX}-${name}`, {
    HostConfig: { Binds: [`${folder}:/data`] },
  });
  writeFileSync(join(folder, 'file'), 'of the old version');
  expect(await isAsLeft(one)).toBe(false);
  await startSecondIsOver(docker.getContainer(one.containerId));
  await one.stop();
  expect(await isAsLeft(one)).toBe(true);
  return one;
}

const isAsLeft = (one: Started): Promise<boolean> =>
  driver.data.isAsLeft(one.attempt(), { ...one, paths: ['/data'] });
const write = (): void => writeFileSync(join(folder, 'file'), 'of the new version');
/** The engine makes the container, and cannot start it. */
const replaceInVain = (one: Started): Promise<unknown> =>
  failureOf(
    driver.instances.replace(one.attempt(), {
      ...{ ...one, image: { reference: REFERENCE, id: image }, env: {} },
      command: ['/nowhere/to/be/found'],
    }),
  );

test('data is as the old version left it until a new one was started, whether or not that wrote', async () => {
  const one = await stoppedOld('started');
  await replaceInVain(one);
  expect((await docker.getContainer(one.container).inspect()).State.Status).toBe('created');
  expect(await isAsLeft(one)).toBe(true);
  await one.replace();
  expect(await isAsLeft(one)).toBe(false);
  await one.stopNew();
  expect(await isAsLeft(one)).toBe(false);
});

test('a new version that was started, wrote, and was removed has left its trace in the data', async () => {
  const one = await stoppedOld('removed');
  await one.replace();
  write();
  await docker.getContainer(one.container).remove({ force: true });
  expect(await isAsLeft(one)).toBe(false);
  // the next one is never started: it does not hide the first
  await replaceInVain(one);
  expect(await isAsLeft(one)).toBe(false);
});

test('an old version that was started again on what others wrote leaves nothing certain', async () => {
  const one = await stoppedOld('again');
  await replaceInVain(one);
  write();
  const old = docker.getContainer(one.containerId);
  await old.start();
  await old.stop({ t: 1 });
  expect(await isAsLeft(one)).toBe(false);
});
