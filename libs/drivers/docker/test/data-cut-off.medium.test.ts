import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { DataSource } from '#drivers/core';
import { contextOf } from '../../../../test/support/step-context.js';
import { CuttingEngine } from './cutting-engine.js';
import { DataScene } from './data-scene.js';

let scene: DataScene;
let cutting: CuttingEngine | undefined;

beforeAll(async () => {
  scene = await DataScene.open('dklost');
});
afterEach(async () => {
  cutting?.close();
  await scene.clean();
});
afterAll(() => scene.close());

async function withData(name: string): Promise<DataSource> {
  const folder = scene.folder();
  writeFileSync(join(folder, 'noise'), randomBytes(256 * 1024));
  for (const file of ['one', 'two', 'three']) writeFileSync(join(folder, file), file);
  return scene.create(name, [`${folder}:/data`], ['/data']);
}

const CUT = { code: 'target_unreachable', retryable: true };

test('an archive whose end is cut off, while its helper ends well, is none', async () => {
  const source = await withData('archive');
  cutting = await CuttingEngine.before(scene.endpoint, 1);
  const archive = await scene.driver.data.read(contextOf(cutting.endpoint), source);
  await expect(buffer(archive).then(({ length }) => length)).rejects.toMatchObject(CUT);
  expect(cutting.cut).toBe(1);
  await scene.untilNoHelpers();
});

test('a list whose end is cut off is none', async () => {
  const source = await withData('list');
  cutting = await CuttingEngine.before(scene.endpoint, 1);
  const list = scene.driver.data.list(contextOf(cutting.endpoint), source);
  await expect(list.then(({ length }) => length)).rejects.toMatchObject(CUT);
  expect(cutting.cut).toBe(1);
  await scene.untilNoHelpers();
});

test.each([
  ['archive', 1],
  ['list', 2],
] as const)(
  'of one helper for both, neither is any when the end of the %s is cut off',
  async (name, stream) => {
    const source = await withData(`both-${name}`);
    cutting = await CuttingEngine.before(scene.endpoint, stream);
    const begun = scene.driver.data.readMeasured?.(
      contextOf(cutting.endpoint),
      source,
      async () => undefined,
    );
    const both = async (): Promise<void> => {
      if (begun === undefined) throw new Error('this driver reads and lists apart');
      const { archive, entries } = await begun;
      const [read, listed] = await Promise.allSettled([buffer(archive), entries]);
      expect(listed.status).toBe('rejected');
      if (read.status === 'rejected') throw read.reason;
    };
    await expect(both()).rejects.toMatchObject(CUT);
    expect(cutting.cut).toBe(1);
    await scene.untilNoHelpers();
  },
);

test('what may have been lost of a restore’s words may have been a loss', async () => {
  const source = await withData('words');
  const archive = await scene.read(source);
  cutting = await CuttingEngine.before(scene.endpoint, 2);
  const writing = scene.driver.data.write(
    contextOf(cutting.endpoint),
    source,
    Readable.from([archive]),
  );
  await expect(writing).rejects.toMatchObject(CUT);
  expect(cutting.cut).toBe(1);
  await scene.untilNoHelpers();
});

/** Longer than the 2 s after which an engine throws away what is still in a container's pipes, in milliseconds: time alone does it. */
const REST_MS = 6_000;
const BYTES = 4 * 1024 * 1024;

test('a reader that rests near the end of an archive for longer than an engine keeps what is unread gets all of it', async () => {
  // so much of it that engine and connection hold all but what is in the pipes: which it is depends on the machine
  const left = [1.54, 1.58, 1.6, 1.62, 1.64, 1.68, 1.72].map((megabytes) => megabytes * 1e6);
  const lengths = left.map(async (bytes) => {
    const folder = scene.folder();
    // does not get smaller by packing
    writeFileSync(join(folder, 'noise'), randomBytes(BYTES));
    const source = await scene.create(`slow-${bytes}`, [`${folder}:/data`], ['/data']);
    const archive = await scene.driver.data.read(contextOf(scene.endpoint), source);
    let length = 0;
    let hasRested = false;
    for await (const piece of archive as AsyncIterable<Buffer>) {
      length += piece.length;
      if (hasRested || length < BYTES - bytes) continue;
      hasRested = true;
      await delay(REST_MS);
    }
    return length;
  });
  for (const length of await Promise.all(lengths)) expect(length).toBeGreaterThan(BYTES);
});
