import { rmSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { DataSource, Driver, LookUpLayers } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { waitFor } from '#kernel';
import { cleanUp } from '../../../../test/support/engine-client.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { OwnEngine } from '../../../../test/support/own-engine.js';
import {
  PlainRepository,
  serviceImage as registryImage,
} from '../../../../test/support/registry-image.js';
import { startRegistryServer } from '../../../../test/support/registry.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextFor, startWithData, targetOf } from './far-engine.js';

const PREFIX = 'dkfail';
const IMAGE = 'liftlock-test-failures:1.0';
/** Each is to be known long before this: the check's deadline, in seconds. */
const DEADLINE = 100;

let own: OwnEngine;
let docker: Docker;
let image: string;
let driver: Driver;
const folders: string[] = [];

beforeAll(async () => {
  own = await OwnEngine.start([], '160m');
  docker = own.docker;
  image = await serviceImage(docker, IMAGE, '1.0');
});
beforeEach(async () => {
  driver = await dockerDriver();
  return async () => {
    await driver.close();
    await cleanUp(docker, PREFIX);
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  };
});
afterAll(() => own?.stop());

const context = (): ReturnType<typeof contextFor> => contextFor(targetOf(own.host));
const running = {
  ...{ type: 'running' as const, failPatterns: [] },
  ...{ deadlineSeconds: DEADLINE, intervalMs: 100, stableSeconds: 30 },
};

async function start(
  name: string,
  command: readonly string[],
  host: object = {},
): Promise<DataSource> {
  const container = `${PREFIX}-${name}`;
  const made = await docker.createContainer({
    name: container,
    Image: image,
    Cmd: [...command],
    HostConfig: host,
  });
  await made.start();
  return { container, containerId: made.id, keptName: `${container}-kept`, paths: ['/data'] };
}

test('a container that restarts in a loop is named after a few restarts, with its last words', async () => {
  const one = await start('loop', ['sh', '-c', 'echo no licence found; exit 7'], {
    RestartPolicy: { Name: 'always' },
  });
  const error = await failureOf(driver.checks.check(context(), { ...one, check: running }));
  expect(error).toMatchObject({ code: 'container_exited', retryable: false });
  expect(error.message).toMatch(/dkfail-loop .*restarts.*no licence found/);
});

test('a container that the kernel kills for its memory is named with its limit', async () => {
  const limit = 12 * 1024 * 1024;
  const one = await start('memory', ['sh', '-c', 'sleep 1; a=x; while :; do a=$a$a; done'], {
    ...{ Memory: limit, MemorySwap: limit },
  });
  const error = await failureOf(driver.checks.check(context(), { ...one, check: running }));
  expect(error).toMatchObject({ code: 'out_of_memory', retryable: false });
  expect(error.message).toMatch(/dkfail-memory .*limit of 12\.0 MiB.*give it more/);
});

test('a full disk of the engine is named when a container is made, and when data is put back', async () => {
  const one = await startWithData(docker, `${PREFIX}-full`, image);
  folders.push(one.folder);
  const volume = await docker.createContainer({
    name: `${PREFIX}-volume`,
    Image: image,
    HostConfig: { Binds: [`${PREFIX}-data:/data`] },
  });
  const { Mountpoint } = await docker.getVolume(`${PREFIX}-data`).inspect();
  const source = {
    ...{ container: `${PREFIX}-volume`, containerId: volume.id },
    ...{ keptName: `${PREFIX}-kept`, paths: ['/data'] },
  };
  const filling = `${Mountpoint}/filling`;
  writeFileSync(filling, Buffer.alloc(20 * 1024 * 1024, 'not compressed away'));
  const archive = await buffer(await driver.data.read(context(), source));
  rmSync(filling);
  await driver.instances.stop(context(), one);
  const block = await fill(`${own.dataFolder}/block`);
  const refused = await failureOf(
    driver.instances.replace(context(), {
      ...one,
      image: { reference: IMAGE, id: image },
      env: {},
    }),
  );
  expect(refused).toMatchObject({ code: 'disk_full', retryable: false });
  expect(refused.message).toMatch(
    /on far failed: .*no space left on device; free space on that host/i,
  );
  // room for the helper, not for the data
  writeFileSync(block, Buffer.alloc(1024));
  await fill(block, 12 * 1024 * 1024);
  const restored = await failureOf(driver.data.write(context(), source, Readable.from([archive])));
  expect(restored.code, restored.message).toBe('disk_full');
  rmSync(block);
  await driver.data.write(context(), source, Readable.from([archive]));
});

test('an image that the engine has no room for is named with its size, and nothing of it stays', async () => {
  const registry = await startRegistryServer();
  const block = `${own.dataFolder}/block`;
  try {
    const repository = new PlainRepository(registry.host, 'large');
    const large = await registryImage('', 24 * 1024 * 1024);
    const digest = `${registry.host}/large@${await repository.push('1', large)}`;
    await fill(block, 16 * 1024 * 1024);
    const refused = await failureOf(
      driver.images.prepare(context(), { image: { reference: 'large:1', digest } }),
    );
    expect(refused, refused.message).toMatchObject({ code: 'disk_full', retryable: false });
    expect(refused.message).toMatch(
      /free space on that host.*layers that are not there yet are 2[4-9]\.\d MiB packed/,
    );
    rmSync(block);
    const images = await docker.listImages();
    expect(images.flatMap(({ RepoDigests }) => RepoDigests ?? [])).not.toContain(digest);
  } finally {
    rmSync(block, { force: true });
    await registry.stop();
  }
});

test('an image that cannot fit is refused before anything is pulled; layers that are there count for nothing', async () => {
  const registry = await startRegistryServer({ accessLog: true });
  try {
    const repository = new PlainRepository(registry.host, 'large');
    const digest = `${registry.host}/large@${await repository.push('1', await registryImage(''))}`;
    const input = { image: { reference: 'large:1', digest } };
    const large = { bytes: 512 * 1024 * 1024, isCompressed: true };
    const asked: unknown[] = [];
    const lookUp = (...diffIds: string[]): LookUpLayers => {
      return (platform) => {
        asked.push(platform);
        return Promise.resolve(diffIds.map((diffId) => ({ ...large, diffId })));
      };
    };
    const before = registry.accesses().length;
    const volumes = async (): Promise<number> =>
      ((await docker.listVolumes()).Volumes ?? []).length;
    const volumesBefore = await volumes();
    const refused = await failureOf(
      driver.images.prepare(context(), input, lookUp('sha256:none', 'sha256:neither')),
    );
    expect(refused, refused.message).toMatchObject({ code: 'disk_full', retryable: false });
    expect(refused.message).toMatch(
      /2 of 2 layers .* are 1024\.0 MiB packed and need at least \d+\.0 MiB on far, where 1?\d\d\.\d MiB are free: nothing was pulled; free space/,
    );
    expect(registry.accesses()).toHaveLength(before);
    expect(asked).toEqual([
      { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' },
    ]);
    // what was looked with is gone, with its volume
    await waitFor(
      async () =>
        (await docker.listContainers({ all: true })).length === 0 &&
        (await volumes()) === volumesBefore,
      { what: 'the helper to be gone', deadlineMs: 60_000 },
    );

    const theirs = (await docker.getImage(image).inspect()).RootFS.Layers?.[0] ?? '';
    const pulled = await driver.images.prepare(context(), input, lookUp(theirs));
    expect(pulled.found).toBe('done_now');
    const again = context();
    await driver.images.prepare(again, input, () => Promise.reject(new Error('not asked')));
    await docker.getImage(pulled.imageId).remove({ force: true });
    // who cannot tell stops nothing
    expect(await driver.images.prepare(context(), input, () => Promise.resolve(undefined))).toEqual(
      pulled,
    );
  } finally {
    await registry.stop();
  }
});

/** Writes a file until the disk is full; leaves so many bytes free. */
async function fill(path: string, leave = 0): Promise<string> {
  const chunk = 1024 * 1024;
  return waitFor(
    () => {
      const size = own.freeBytes() - leave;
      if (size > 0) writeFileSync(path, Buffer.alloc(Math.min(size, chunk), 1), { flag: 'a' });
      return own.freeBytes() <= leave ? path : undefined;
    },
    { what: 'a full disk', deadlineMs: 60_000, everyMs: 1 },
  );
}
