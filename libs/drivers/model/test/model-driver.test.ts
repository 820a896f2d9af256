import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Driver } from '#drivers/core';
import {
  createModelWorld,
  modelDriver,
  modelImageId,
  readHeld,
  readLedger,
  readWorld,
  writeControl,
  type ModelWorld,
} from '#drivers/model';
import { LiftlockError, waitFor } from '#kernel';
import { attempt } from './attempt.js';

const OLD = 'shop:1.0';
const NEW = 'shop:2.0';
const image = { reference: NEW, id: modelImageId(NEW) };

let folder: string;
let driver: Driver;
let world: ModelWorld;
let input: { container: string; containerId: string; keptName: string };
let source: typeof input & { paths: string[] };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'liftlock-model-'));
  driver = await modelDriver();
  world = await createModelWorld(
    folder,
    [{ container: 'shop', image: OLD, data: { '/data/goods': 'apples' } }],
    [NEW],
  );
  const containerId = world.containers['shop']?.containerId ?? '';
  input = { container: 'shop', containerId, keptName: 'shop-kept' };
  source = { ...input, paths: ['/data'] };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const stop = (more = {}) => driver.instances.stop(attempt(folder, 'stop', more), input);
const replace = (more = {}) =>
  driver.instances.replace(attempt(folder, 'replace', more), { ...input, image, env: {} });
const stopNew = () => driver.instances.stopNew(attempt(folder, 'stop-new'), input);
const restoreOld = () =>
  driver.instances.restoreOld(attempt(folder, 'restore-old'), { ...input, start: true });
const snapshot = async () => text(await driver.data.read(attempt(folder, 'snapshot'), source));
const restore = (archive: string, stepId = 'restore') =>
  driver.data.write(attempt(folder, stepId), source, Readable.from([Buffer.from(archive)]));
const effects = async () =>
  (await readLedger(folder)).map((line) => ('effect' in line ? line.effect : line.violation));
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'nothing thrown',
    (error: unknown) => LiftlockError.from(error).code,
  );

describe('there and back', () => {
  it('leaves the world as it was, and one line for each effect', async () => {
    await stop();
    const archive = await snapshot();
    await replace();
    expect(
      (await readWorld(folder)).volumes['shop-data']?.files['/data/history']?.content,
    ).toContain(`migrated by ${image.id}`);
    await stopNew();
    await restore(archive);
    await restoreOld();
    await driver.instances.removeNew(attempt(folder, 'remove-new'), input);
    const after = await readWorld(folder);
    expect({ ...after.containers['shop'], stoppedBy: undefined }).toEqual({
      ...world.containers['shop'],
      stoppedBy: undefined,
    });
    expect(after.volumes).toEqual(world.volumes);
    expect(Object.keys(after.containers)).toEqual(['shop']);
    expect(await effects()).toEqual([
      ...['stopped', 'snapshot', 'kept-old', 'started-new', 'stopped-new', 'restored'],
      ...['put-back-old', 'started-old', 'removed-new'],
    ]);
  });

  it('reports what is there already, under a later token too, and adds no line', async () => {
    await stop();
    expect(await stop({ token: 2 })).toMatchObject({ found: 'done_before' });
    await replace();
    expect(await replace({ token: 2 })).toMatchObject({ found: 'done_before' });
    const before = await effects();
    await stopNew();
    expect(await stopNew()).toMatchObject({ found: 'done_before' });
    await expect(driver.images.prepare(attempt(folder, 'image'), { image })).resolves.toEqual({
      imageId: image.id,
      found: 'done_before',
    });
    expect(await effects()).toEqual([...before, 'stopped-new']);
  });

  it('knows whether the new version was ever started on the data, also when it is gone', async () => {
    const asLeft = () => driver.data.isAsLeft(attempt(folder, 'restore'), source);
    await stop();
    expect(await asLeft()).toBe(true);
    const archive = await snapshot();
    await replace();
    expect(await asLeft()).toBe(false);
    await stopNew();
    await restore(archive);
    await restoreOld();
    await driver.instances.removeNew(attempt(folder, 'remove-new'), input);
    expect(await asLeft()).toBe(false);
    const another = attempt(folder, 'restore', { upgrade: 'upg_00000000000000000000000002' });
    expect(await driver.data.isAsLeft(another, source)).toBe(true);
  });

  it('writes the ledger for people as it is in the world', async () => {
    await stop();
    await replace();
    const lines = (await readFile(join(folder, 'ledger.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(await readLedger(folder));
  });
});

describe('files for the time of an upgrade', () => {
  const FILE = { path: '/data/cfg', mode: '0600', uid: 0, gid: 0, content: 'password' };
  const write = (more = {}) =>
    driver.files.write(attempt(folder, 'write', more), { ...named(), files: [FILE] });
  const remove = (more = {}) =>
    driver.files.remove(attempt(folder, 'remove', more), { ...named(), paths: [FILE.path] });
  const named = () => ({ container: 'shop', containerId: input.containerId });

  it('are written and removed, as often as a bracket is held and let go of', async () => {
    await driver.files.prepare(attempt(folder, 'prepare'), { ...named(), files: [FILE] });
    expect(await write()).toEqual({ found: 'done_now' });
    expect(await write({ token: 2 })).toEqual({ found: 'done_before' });
    expect(await remove()).toEqual({ found: 'done_now' });
    expect(await remove({ token: 2 })).toEqual({ found: 'nothing_to_do' });
    expect((await readWorld(folder)).volumes).toEqual(world.volumes);
    await write({ token: 3 });
    expect(await effects()).toEqual(['file-written', 'file-removed', 'file-written']);
  });

  it('are refused where something is that no upgrade wrote', async () => {
    const files = [{ ...FILE, path: '/data/goods' }];
    const at = attempt(folder, 'write');
    expect(await code(driver.files.prepare(at, { ...named(), files }))).toBe('not_empty');
    expect(await code(driver.files.write(at, { ...named(), files }))).toBe('not_empty');
    expect(await effects()).toEqual([]);
  });

  it('in a snapshot are a violation', async () => {
    await stop();
    await write();
    expect(await code(snapshot())).toBe('internal');
    expect((await effects()).at(-1)).toMatch(/\/data\/cfg is there/);
  });
});

describe('what rolls', () => {
  const rolling = { ...{ rolling: true as const }, env: {} };
  const roll = (more = {}) =>
    driver.instances.replace(attempt(folder, 'replace', more), { ...input, image, ...rolling });
  const rollBack = () =>
    driver.instances.restoreOld(attempt(folder, 'restore-old'), {
      ...{ ...input, start: true },
      rolling: true,
    });

  beforeEach(async () => {
    await rm(folder, { recursive: true, force: true });
    const made = await createModelWorld(folder, [{ container: 'shop', image: OLD }], [NEW]);
    input = { ...input, containerId: made.containers['shop']?.containerId ?? '' };
  });

  it('goes there and back with nothing stopped before, and is found again', async () => {
    await roll();
    expect(await roll({ token: 2 })).toMatchObject({ found: 'done_before' });
    const there = await readWorld(folder);
    expect(there.containers).toMatchObject({
      shop: { imageId: image.id, running: true },
      'shop-kept': { running: false },
    });
    await rollBack();
    expect(await rollBack()).toMatchObject({ found: 'done_before' });
    await driver.instances.removeNew(attempt(folder, 'remove-new'), input);
    expect((await readWorld(folder)).containers).toMatchObject({ shop: { running: true } });
    expect(await effects()).toEqual([
      ...['kept-old', 'started-new', 'put-back-old', 'started-old', 'removed-new'],
    ]);
  });
});

describe('what is done while it is down', () => {
  const merge = { type: 'merge' as const, object: 'ConfigMap/shop', data: { KEY: 'value' } };
  const about = { container: 'shop', namespace: 'shop', work: merge };
  const change = (stepId: string, more = {}) =>
    driver.hooks.object(attempt(folder, stepId, more), { ...about, recorded: true });
  const back = (undoes: string) =>
    driver.hooks.objectBack(attempt(folder, `undo-${undoes}`), { ...about, undoes });
  const write = () =>
    driver.hooks.job(attempt(folder, 'job'), {
      ...{ container: 'shop', image },
      work: { type: 'job', env: {}, volumesFrom: true },
    });
  const objects = async () => (await readWorld(folder)).objects;

  it('to objects is put back in reverse, and what was kept is gone', async () => {
    expect(await change('one')).toMatchObject({ found: 'done_now' });
    expect(await change('one', { token: 2 })).toMatchObject({ found: 'done_before' });
    await change('two');
    expect(await objects()).toEqual({ 'shop/ConfigMap/shop': 'changed by two' });
    expect(await code(back('one'))).toBe('internal');
    await back('two');
    await back('one');
    expect(await back('one')).toMatchObject({ found: 'nothing_to_do' });
    expect(await objects()).toEqual({});
    expect((await readWorld(folder)).objectRecords).toEqual({});
  });

  it('to objects is not put back under what runs again', async () => {
    await stop();
    await change('one');
    await restoreOld();
    expect(await code(back('one'))).toBe('internal');
  });

  it('stays where nothing takes it back, and the record goes', async () => {
    await change('one');
    const forget = (stepId: string) =>
      driver.hooks.forgetObjects(attempt(folder, stepId), {
        ...{ container: 'shop', namespaces: ['shop'] },
        steps: ['one'],
      });
    expect(await forget('forget')).toMatchObject({ found: 'done_now' });
    expect(await forget('again')).toMatchObject({ found: 'nothing_to_do' });
    expect(await objects()).toEqual({ 'shop/ConfigMap/shop': 'changed by one' });
  });

  it('to the data by a job shows when the old version starts on it', async () => {
    await stop();
    const archive = await snapshot();
    await write();
    expect(await driver.data.isAsLeft(attempt(folder, 'restore'), source)).toBe(false);
    expect(await code(restoreOld())).toBe('internal');
    await restore(archive);
    await restoreOld();
    expect((await readWorld(folder)).volumes).toEqual(world.volumes);
  });
});

describe('violations are recorded and thrown', () => {
  const expectViolation = async (attempted: Promise<unknown>, like: RegExp) => {
    expect(await code(attempted)).toBe('internal');
    const last = (await readLedger(folder)).at(-1);
    expect(last !== undefined && 'violation' in last ? last.violation : 'none').toMatch(like);
  };

  it('the new version started while the old one runs', () =>
    expectViolation(replace(), /old version runs/));

  it('data restored while something runs on it', async () => {
    await stop();
    const archive = await snapshot();
    await replace();
    await expectViolation(restore(archive), /shop runs on it/);
  });

  it('data restored that nobody touched', async () => {
    await stop();
    await expectViolation(restore(await snapshot()), /never touched/);
  });

  it('an effect under a smaller token than was seen', async () => {
    await code(stop({ token: 2, signal: AbortSignal.abort() }));
    await stop({ token: 3 });
    await writeControl(folder, {});
    const { instances } = driver;
    await expect(
      instances.replace(attempt(folder, 'stop', { token: 2 }), { ...input, image, env: {} }),
    ).rejects.toThrow(/token 2 after 3/);
  });

  it('the old version started on data of the new one', async () => {
    await stop();
    await replace();
    await stopNew();
    await expectViolation(restoreOld(), /last written by/);
  });

  it('an effect twice', async () => {
    await stop();
    await replace();
    await stopNew();
    await expectViolation(replace(), /started and stopped before/);
  });
});

describe('control', () => {
  it('fails an action so many times, over all drivers, then lets it be', async () => {
    await writeControl(folder, {
      rules: [{ do: 'fail', action: 'instance.stop', container: 'shop', times: 2 }],
    });
    expect(await code(stop())).toBe('target_refused');
    driver = await modelDriver();
    expect(await code(stop())).toBe('target_refused');
    expect(await stop()).toMatchObject({ found: 'done_now' });
  });

  it('fails after the effect, which the next attempt finds', async () => {
    await writeControl(folder, {
      rules: [{ do: 'fail', action: 'instance.stop', when: 'after', times: 1, code: 'timeout' }],
    });
    expect(await code(stop())).toBe('timeout');
    expect(await stop({ token: 2 })).toMatchObject({ found: 'done_before' });
    expect(await effects()).toEqual(['stopped']);
  });

  it('holds an action until the rule is lifted', async () => {
    await writeControl(folder, { rules: [{ do: 'hold', action: 'instance.stop' }] });
    const stopping = stop();
    await waitFor(async () => (await readHeld(folder)).length === 1, {
      what: 'the held attempt',
      deadlineMs: 60_000,
    });
    expect(await effects()).toEqual([]);
    await writeControl(folder, {});
    expect(await stopping).toMatchObject({ found: 'done_now' });
    expect(await readHeld(folder)).toEqual([]);
  });

  it('holds a restore that was cut off after its effect where the next attempt ends it', async () => {
    const rules = [
      { do: 'fail', action: 'data.restore', container: 'shop', when: 'after' },
    ] as const;
    await writeControl(folder, { rules: [...rules] });
    const settle = () => driver.data.settle(attempt(folder, 'restore'), source, []);
    expect(await code(settle())).toBe('target_refused');
  });

  it('an aborted attempt lets go and changes nothing', async () => {
    await writeControl(folder, { rules: [{ do: 'hold', action: 'instance.stop' }] });
    await expect(stop({ signal: AbortSignal.timeout(50) })).rejects.toThrow(/abort|timeout/i);
    expect(await effects()).toEqual([]);
  });

  it('lets checks of an image fail', async () => {
    await stop();
    await replace();
    const check = {
      type: 'running',
      deadlineSeconds: 0.2,
      intervalMs: 20,
      stableSeconds: 0,
    } as const;
    const look = () =>
      driver.checks.check(attempt(folder, 'check'), {
        container: 'shop',
        imageId: image.id,
        check,
      });
    expect(await look()).toMatchObject({ looks: 1 });
    await writeControl(folder, { rules: [{ do: 'fail-checks', imageId: image.id }] });
    expect(await code(look())).toBe('check_failed');
  });
});

it('twenty attempts at once make one effect', async () => {
  const found = await Promise.all(
    Array.from(
      { length: 20 },
      async () =>
        (await (await modelDriver()).instances.stop(attempt(folder, 'stop'), input)).found,
    ),
  );
  expect(found.filter((one) => one === 'done_now')).toHaveLength(1);
  expect(await effects()).toEqual(['stopped']);
});

it('a fenced attempt changes nothing', async () => {
  const guard = () => Promise.reject(new LiftlockError('fenced', 'a later attempt has taken over'));
  expect(await code(stop({ guard }))).toBe('fenced');
  expect(await effects()).toEqual([]);
});
