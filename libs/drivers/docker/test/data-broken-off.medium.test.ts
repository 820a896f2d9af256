import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, test, vi, type MockInstance } from 'vitest';
import { SecretStore } from '#drivers/core';
import { LiftlockError, waitFor } from '#kernel';
import { plantTree } from '../../../../test/support/data-tree.js';
import { contextOf } from '../../../../test/support/step-context.js';
import { Engine } from '../src/engine.js';
import { HelperImages } from '../src/helper-image.js';
import { runWithInput } from '../src/helper.js';
import { DataScene } from './data-scene.js';

let scene: DataScene;

beforeAll(async () => {
  scene = await DataScene.open('dkbroken');
});
afterEach(() => scene.clean());
afterAll(() => scene.close());

test('an attempt that was killed leaves a helper that the next attempt removes before it begins', async () => {
  const folder = scene.folder();
  writeFileSync(join(folder, 'large'), Buffer.alloc(32 * 1024 * 1024, 'x'));
  const source = await scene.create('broken', [`${folder}:/data`], ['/data']);
  const first = contextOf(scene.endpoint);
  await scene.driver.data.list(first, source); // the image of the helper is there
  // a process that was killed removes nothing: so made by hand, as it would have left it
  const left = await scene.docker.createContainer({
    name: `${scene.prefix}-left-helper`,
    Image: scene.image,
    Labels: {
      'dev.liftlock.role': 'helper',
      'dev.liftlock.upgrade': first.upgrade,
      'dev.liftlock.step': first.stepId,
      'dev.liftlock.token': '1',
      'dev.liftlock.of': source.containerId,
    },
    HostConfig: { VolumesFrom: [source.containerId] },
  });
  const second = contextOf(scene.endpoint, { upgrade: first.upgrade, token: 2 });
  expect(await scene.driver.data.usedBy(second, source)).toEqual([]);
  await expect(left.inspect()).rejects.toMatchObject({ statusCode: 404 });
});

test('an attempt that is ended ends with its reason, and its helper is gone', async () => {
  const folder = scene.folder();
  await plantTree(folder);
  const source = await scene.create('aborted', [`${folder}:/data`], ['/data']);
  const archive = await scene.read(source);
  const reason = new LiftlockError('fenced', 'a later attempt has taken over');
  const abort = new AbortController();
  const reading = contextOf(scene.endpoint, { signal: abort.signal });
  const stream = await scene.driver.data.read(reading, source);
  abort.abort(reason);
  await expect(buffer(stream)).rejects.toBe(reason);
  const again = new AbortController();
  const writing = scene.driver.data.write(
    contextOf(scene.endpoint, { signal: again.signal }),
    source,
    Readable.from(
      (async function* () {
        yield archive.subarray(0, 100);
        again.abort(reason);
        yield archive.subarray(100);
      })(),
    ),
  );
  await expect(writing).rejects.toBe(reason);
  await scene.untilNoHelpers();
});

/** Has a helper run this script, which is told this. */
async function runTold(
  source: { readonly containerId: string },
  script: string,
  input: Readable,
  signal?: AbortSignal,
): Promise<void> {
  const context = contextOf(scene.endpoint, signal === undefined ? {} : { signal });
  const engine = new Engine({ name: 'one', endpoint: scene.endpoint }, new SecretStore());
  const images = new HelperImages();
  const run = {
    ...{ images, tools: await images.collected(), script, what: 'writing the data' },
    source: await scene.docker.getContainer(source.containerId).inspect(),
    failed: () => new LiftlockError('target_refused', 'it ended'),
  };
  try {
    await runWithInput(engine, context, run, input);
  } finally {
    engine.close();
  }
}

test('a helper that ended well before our side of its connection was closed has done its work', async () => {
  const source = await scene.create('quick', [`${scene.folder()}:/data`], ['/data']);
  let closing: MockInstance | undefined;
  const input = Readable.from(
    (function* () {
      // the helper runs: the end of what it is told never gets through
      closing = vi.spyOn(Socket.prototype, '_final').mockImplementation(() => undefined);
      yield Buffer.from('all of it\n');
    })(),
  );
  try {
    await runTold(source, 'read -r line', input);
    expect(closing).toHaveBeenCalled();
  } finally {
    closing?.mockRestore();
  }
  await scene.untilNoHelpers();
});

test('an attempt that is ended while its helper is at work on what it was told ends with its reason, and its helper is gone', async () => {
  const folder = scene.folder();
  execFileSync('mkfifo', [join(folder, 'never')]);
  const source = await scene.create('at-work', [`${folder}:/data`], ['/data']);
  const reason = new LiftlockError('fenced', 'a later attempt has taken over');
  const abort = new AbortController();
  // as one that has all of its input, and waits for its disk
  const script = `while read -r line; do :; done; : >/data/read; read -r line </data/never`;
  const input = Readable.from([Buffer.from('all of it\n')]);
  const writing = runTold(source, script, input, abort.signal);
  const ended = writing.then(
    () => undefined,
    (error: unknown) => error,
  );
  await waitFor(() => existsSync(join(folder, 'read')), {
    ...{ what: 'the helper has read its input', deadlineMs: 60_000 },
  });
  abort.abort(reason);
  expect(await ended).toBe(reason);
  await scene.untilNoHelpers();
});

test('an attempt that is ended at any moment of its helper’s making: what the engine made all the same goes', async () => {
  const folder = scene.folder();
  writeFileSync(join(folder, 'file'), '');
  const source = await scene.create('unmade', [`${folder}:/data`], ['/data']);
  await scene.list(source); // the image of the helper is there
  const reason = new LiftlockError('fenced', 'no longer wanted');
  for (let delayMs = 0; delayMs < 60; delayMs += 5) {
    const abort = new AbortController();
    const context = contextOf(scene.endpoint, {
      signal: abort.signal,
      guard: async () => void setTimeout(() => abort.abort(reason), delayMs),
    });
    const listing = scene.driver.data.list(context, source);
    await listing.then(
      () => undefined,
      (error: unknown) => expect(error).toBe(reason),
    );
  }
  await scene.untilNoHelpers();
});

test('a helper that is killed in mid-read is an error, never a short archive', async () => {
  const folder = scene.folder();
  writeFileSync(join(folder, 'zeroes'), '');
  await plantTree(folder);
  writeFileSync(
    join(folder, 'noise'),
    Buffer.alloc(48 * 1024 * 1024).map((_, i) => (i * 2_654_435_761) >>> 13),
  );
  const source = await scene.create('killed', [`${folder}:/data`], ['/data']);
  const stream = await scene.driver.data.read(contextOf(scene.endpoint), source);
  await expect(scene.readKilled(stream)).rejects.toMatchObject({ code: 'target_unreachable' });
});

test('a guard that says no is obeyed before anything is made', async () => {
  const source = await scene.create('fenced', [`${scene.folder()}:/data`], ['/data']);
  const fenced = new LiftlockError('fenced', 'a later attempt has taken over');
  const context = contextOf(scene.endpoint, { guard: () => Promise.reject(fenced) });
  await expect(scene.driver.data.read(context, source)).rejects.toBe(fenced);
  await expect(
    scene.driver.data.write(context, source, Readable.from([Buffer.from('x')])),
  ).rejects.toBe(fenced);
  await scene.untilNoHelpers();
});
