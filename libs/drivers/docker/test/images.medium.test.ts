import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ActionInput, ActionOutput } from '#contracts';
import { dockerDriver } from '#drivers/docker';
import type { Driver, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { openEngine } from '../../../../test/support/engine-client.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextOf, crashAt } from '../../../../test/support/step-context.js';
import { startRegistry } from './test-registry.js';

const REFERENCE = 'liftlock-test-images:1.0';
const OTHER = 'liftlock-test-images:2.0';
let docker: Docker;
let endpoint: string;
let driver: Driver;
let folder: string;
let image: string;
let other: string;
/** `docker save` of the image. */
let archive: string;

beforeAll(async () => {
  ({ docker, endpoint } = await openEngine());
  driver = await dockerDriver();
  folder = mkdtempSync(join(tmpdir(), 'liftlock-images-'));
  image = await serviceImage(docker, REFERENCE, 'images-1.0');
  other = await serviceImage(docker, OTHER, 'images-2.0');
  archive = join(folder, 'image.tar');
  await pipeline(await docker.getImage(REFERENCE).get(), createWriteStream(archive));
});
afterAll(async () => {
  await driver?.close();
  for (const id of [image, other])
    await docker
      .getImage(id)
      .remove({ force: true })
      .catch(() => undefined);
  rmSync(folder, { recursive: true, force: true });
});

const prepare = (
  input: ActionInput<'image.prepare'>,
  context: StepContext = contextOf(endpoint),
): Promise<ActionOutput<'image.prepare'>> => driver.images.prepare(context, input);
const isThere = async (id: string): Promise<boolean> =>
  docker
    .getImage(id)
    .inspect()
    .then(
      () => true,
      () => false,
    );

describe('an image', () => {
  test('that is there is left alone; by its ID, whatever its tag names', async () => {
    const found = { imageId: image, found: 'done_before' };
    expect(await prepare({ image: { reference: REFERENCE, id: image } })).toEqual(found);
    expect(await prepare({ image: { reference: OTHER, id: image } })).toEqual(found);
  });

  test('is loaded from an archive, plain or compressed, once', async () => {
    const gzip = join(folder, 'image.tar.gz');
    const zstd = join(folder, 'image.tar.zst');
    await pipeline(createReadStream(archive), createGzip({ level: 1 }), createWriteStream(gzip));
    await pipeline(createReadStream(archive), createZstdCompress(), createWriteStream(zstd));
    for (const path of [archive, gzip, zstd]) {
      await docker.getImage(image).remove({ force: true });
      const input = { image: { reference: REFERENCE, id: image }, archive: path };
      expect(await prepare(input)).toEqual({ imageId: image, found: 'done_now' });
      expect(await isThere(image)).toBe(true);
      expect(await prepare(input)).toEqual({ imageId: image, found: 'done_before' });
    }
  });

  test('that is nowhere is said by name, and what to do', async () => {
    const id = `sha256:${'0'.repeat(64)}`;
    const error = await failureOf(prepare({ image: { reference: 'app:9.9', id } }));
    expect(error).toMatchObject({ code: 'image_missing', retryable: false });
    expect(error.message).toMatch(/app:9\.9.*docker load/);
  });

  test('is not loaded from an archive that holds another one', async () => {
    const id = `sha256:${'0'.repeat(64)}`;
    const error = await failureOf(prepare({ image: { reference: REFERENCE, id }, archive }));
    expect(error).toMatchObject({ code: 'image_missing' });
    expect(error.message).toContain(archive);
  });

  test('is not loaded from what is no archive, is cut, or is not there: named with the file', async () => {
    const wanted = { reference: REFERENCE, id: image };
    await docker.getImage(image).remove({ force: true });
    const none = join(folder, 'none.tar');
    writeFileSync(none, 'this is no archive at all, but long enough to be looked at');
    const empty = join(folder, 'empty.tar');
    writeFileSync(empty, '');
    const cut = join(folder, 'cut.tar');
    await pipeline(createReadStream(archive), createWriteStream(cut));
    truncateSync(cut, statSync(archive).size >> 1);
    for (const path of [none, empty, cut, join(folder, 'missing.tar')]) {
      const error = await failureOf(prepare({ image: wanted, archive: path }));
      expect({ path, code: error.code }).toEqual({ path, code: 'image_missing' });
      expect(error.message).toContain(path);
    }
    expect(await isThere(image)).toBe(false);
    await prepare({ image: wanted, archive });
  });

  test('is not loaded once the attempt is fenced', async () => {
    await docker.getImage(image).remove({ force: true });
    const fenced = new LiftlockError('fenced', 'a later attempt has taken over');
    const context = contextOf(endpoint, { guard: () => Promise.reject(fenced) });
    const input = { image: { reference: REFERENCE, id: image }, archive };
    expect(await failureOf(prepare(input, context))).toBe(fenced);
    expect(await isThere(image)).toBe(false);
    await prepare(input);
  });

  test('is pulled by its digest from a registry, once', async () => {
    const registry = await startRegistry();
    const wanted = { reference: 'app:1.0', digest: registry.digest };
    expect(await prepare({ image: wanted })).toEqual({
      imageId: registry.imageId,
      found: 'done_now',
    });
    expect(await prepare({ image: wanted })).toEqual({
      imageId: registry.imageId,
      found: 'done_before',
    });
    await docker.getImage(registry.imageId).remove({ force: true });
    const unknown = registry.digest.replace(/[0-9a-f]{64}$/, '1'.repeat(64));
    const missing = await failureOf(prepare({ image: { ...wanted, digest: unknown } }));
    expect(missing.message).toMatch(/manifest unknown|not found/);
    expect(missing.message).toContain(unknown);
    expect(missing).toMatchObject({ code: 'image_missing', retryable: false });
    await registry.close();
    const away = await failureOf(prepare({ image: { ...wanted, digest: unknown } }));
    expect(away).toMatchObject({ code: 'image_missing', retryable: true });
    expect(away.message).toContain(unknown);
  });
});

describe('an archive whose name the old image has', () => {
  const NAME = 'liftlock-test-names:latest';
  const OLD_NAME = `${NAME}-old`;
  const NAMED = 'dkimg-named';
  let tar: string;
  let oldId: string;
  let newId: string;

  beforeAll(async () => {
    tar = join(folder, 'names.tar');
    newId = await serviceImage(docker, NAME, 'names-2.0');
    await pipeline(await docker.getImage(NAME).get(), createWriteStream(tar));
  });
  beforeEach(async () => {
    await forceOut(newId);
    oldId = await serviceImage(docker, NAME, 'names-1.0');
  });
  afterEach(async () => {
    for (const { Id, Names } of await docker.listContainers({ all: true }))
      if (Names.some((name) => name.startsWith(`/${NAMED}`)))
        await docker.getContainer(Id).remove({ force: true });
    for (const id of [NAME, OLD_NAME, oldId, newId]) await forceOut(id);
    for (const volume of await records()) await docker.getVolume(volume).remove();
  });

  const forceOut = (image: string): Promise<unknown> =>
    docker
      .getImage(image)
      .remove({ force: true })
      .catch(() => undefined);
  const idOf = async (name: string): Promise<string | undefined> =>
    docker
      .getImage(name)
      .inspect()
      .then(
        ({ Id }) => Id,
        () => undefined,
      );
  async function records(): Promise<string[]> {
    const filters = { label: ['dev.liftlock.role=tag', `dev.liftlock.image=${NAME}`] };
    return ((await docker.listVolumes({ filters })).Volumes ?? []).map(({ Name }) => Name);
  }

  /** An instance of the old image whose upgrade has loaded the new one. */
  async function loaded() {
    const { id: containerId } = await docker.createContainer({ name: NAMED, Image: NAME });
    const context = contextOf(endpoint);
    await prepare({ image: { reference: NAME, id: newId }, archive: tar }, context);
    return { context, input: { container: NAMED, containerId, keptName: `${NAMED}-kept` } };
  }
  const keep = (containerId: string): Promise<unknown> =>
    docker.getContainer(containerId).rename({ name: `${NAMED}-kept` });

  test('takes it; the old one has a second name until the bake ends, and goes with it', async () => {
    const { context, input } = await loaded();
    expect([await idOf(NAME), await idOf(OLD_NAME)]).toEqual([newId, oldId]);
    expect(await records()).toHaveLength(1);
    await keep(input.containerId);
    await driver.instances.removeOld(context, input);
    expect([await idOf(NAME), await idOf(OLD_NAME)]).toEqual([newId, undefined]);
    expect(await isThere(oldId)).toBe(false);
    expect(await records()).toEqual([]);
  });

  test('leaves the old one alone when it has another name, or something else is of it', async () => {
    await docker.getImage(NAME).tag({ repo: 'liftlock-test-names', tag: 'mine' });
    const first = await loaded();
    await keep(first.input.containerId);
    await driver.instances.removeOld(first.context, first.input);
    expect([await idOf(OLD_NAME), await idOf('liftlock-test-names:mine')]).toEqual([
      undefined,
      oldId,
    ]);
    await docker.getImage(oldId).tag({ repo: 'liftlock-test-names', tag: 'latest' });
    await forceOut('liftlock-test-names:mine');
    await forceOut(newId);
    const second = await loaded();
    await docker.createContainer({ name: `${NAMED}-data`, Image: oldId });
    await keep(second.input.containerId);
    await driver.instances.removeOld(second.context, second.input);
    expect([await idOf(NAME), await idOf(OLD_NAME)]).toEqual([newId, undefined]);
    expect(await isThere(oldId)).toBe(true);
    expect(await records()).toEqual([]);
  });

  test('gives it back when the upgrade is taken back', async () => {
    const { context, input } = await loaded();
    await driver.instances.removeNew(context, input);
    expect([await idOf(NAME), await idOf(OLD_NAME)]).toEqual([oldId, undefined]);
    expect(await records()).toEqual([]);
    // a next try finds the image loaded, and names it as a load would
    const again = contextOf(endpoint);
    const wanted = { image: { reference: NAME, id: newId }, archive: tar };
    expect(await prepare(wanted, again)).toEqual({ imageId: newId, found: 'done_before' });
    expect([await idOf(NAME), await idOf(OLD_NAME)]).toEqual([newId, oldId]);
    await keep(input.containerId);
    await driver.instances.removeOld(again, input);
    expect([await idOf(NAME), await idOf(OLD_NAME)]).toEqual([newId, undefined]);
  });

  test('keeps it where another instance runs the new image, and the second name where one runs the old', async () => {
    const { context, input } = await loaded();
    const other = await docker.createContainer({ name: `${NAMED}-other`, Image: newId });
    await driver.instances.removeNew(context, input);
    expect([await idOf(NAME), await idOf(OLD_NAME)]).toEqual([newId, oldId]);
    await docker.getContainer(input.containerId).start();
    const kept = await docker.createContainer({ name: `${NAMED}-kept`, Image: oldId });
    await driver.instances.removeOld(context, { ...input, containerId: kept.id });
    expect([await idOf(NAME), await idOf(OLD_NAME)]).toEqual([newId, oldId]);
    // the next upgrade of the one that still runs it cleans up
    await other.remove();
    await docker.getContainer(input.containerId).stop({ t: 0 });
    await keep(input.containerId);
    await driver.instances.removeOld(contextOf(endpoint), input);
    expect(await idOf(OLD_NAME)).toBe(undefined);
    expect(await records()).toEqual([]);
  });

  test('gives it back beside a job of the same upgrade, which is kept until all is finished off', async () => {
    const { context, input } = await loaded();
    const labels = { 'dev.liftlock.upgrade': context.upgrade, 'dev.liftlock.role': 'job' };
    await docker.createContainer({ name: `${NAMED}-job`, Image: newId, Labels: labels });
    await driver.instances.removeNew(context, input);
    expect([await idOf(NAME), await idOf(OLD_NAME)]).toEqual([oldId, undefined]);
    expect(await records()).toEqual([]);
  });

  test('touches no second name that somebody else gave', async () => {
    await docker.getImage(image).tag({ repo: 'liftlock-test-names', tag: 'latest-old' });
    const { context, input } = await loaded();
    expect([await idOf(NAME), await idOf(OLD_NAME)]).toEqual([newId, image]);
    expect(context.lines.join()).toContain('stays so');
    await keep(input.containerId);
    await driver.instances.removeOld(context, input);
    expect(await idOf(OLD_NAME)).toBe(image);
  });

  test('cut off after any single change gives and takes the name all the same', async () => {
    const { id: containerId } = await docker.createContainer({ name: NAMED, Image: NAME });
    const input = { container: NAMED, containerId, keptName: `${NAMED}-kept` };
    const { upgrade } = contextOf(endpoint);
    for (const question of [1, 2, 3]) {
      const context = contextOf(endpoint, { upgrade, ...crashAt(question) });
      const wanted = { image: { reference: NAME, id: newId }, archive: tar };
      expect((await failureOf(prepare(wanted, context))).code).toBe('fenced');
      expect([await idOf(NAME), await isThere(newId)]).toEqual([oldId, false]);
    }
    await prepare(
      { image: { reference: NAME, id: newId }, archive: tar },
      contextOf(endpoint, { upgrade }),
    );
    expect([await idOf(NAME), await idOf(OLD_NAME)]).toEqual([newId, oldId]);
    await keep(containerId);
    for (let question = 1; ; question += 1) {
      const context = contextOf(endpoint, { upgrade, ...crashAt(question) });
      const done = await driver.instances.removeOld(context, input).then(
        () => true,
        () => false,
      );
      if (done) break;
    }
    expect([await idOf(NAME), await idOf(OLD_NAME)]).toEqual([newId, undefined]);
    expect(await records()).toEqual([]);
  });
});

describe('observed', () => {
  test('are the engine, containers with their image, mounts and health, and images with their archives', async () => {
    const name = 'dkimg-observed';
    const made = await docker.createContainer({
      name,
      Image: image,
      Labels: { 'com.docker.swarm.service.name': 'shop_web' },
      HostConfig: { Binds: ['dkimg-volume:/data', `${folder}:/bind:ro`], AutoRemove: true },
    });
    const target = { name: 'one', driver: 'docker' as const, site: 'main', endpoint };
    const observation = await driver.instances.observe(
      {
        target,
        containers: [name, 'dkimg-none'],
        images: [
          { reference: REFERENCE, archive },
          { reference: 'none:1.0', archive: join(folder, 'missing.tar') },
        ],
      },
      AbortSignal.timeout(60_000),
    );
    expect(observation).toMatchObject({
      target: 'one',
      engine: { name: 'docker' },
      containers: [
        {
          container: name,
          found: true,
          containerId: made.id,
          imageId: image,
          running: false,
          state: 'created',
          health: 'none',
          owner: 'swarm:shop_web',
        },
        { container: 'dkimg-none', found: false },
      ],
      images: [
        { reference: REFERENCE, present: true, id: image, archiveId: image },
        { reference: 'none:1.0', present: false },
      ],
    });
    const [container] = observation.containers;
    expect(container?.mounts.toSorted((a, b) => (a.kind < b.kind ? -1 : 1))).toEqual([
      { source: folder, destination: '/bind', kind: 'bind', writable: false },
      { source: 'dkimg-volume', destination: '/data', kind: 'volume', writable: true },
    ]);
    expect(container?.problems.join()).toContain('--rm');
    expect(observation.images[1]?.problem).toContain('missing.tar');
    await made.remove({ v: true });
    await docker.getVolume('dkimg-volume').remove();
  });
});
