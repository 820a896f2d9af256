import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Driver, LookUpLayers, StepContext, TransferState } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { waitFor } from '#kernel';
import { failureOf } from '../../../../test/support/failure-of.js';
import { meetingOf } from '../../../../test/support/meeting.js';
import { OwnEngine } from '../../../../test/support/own-engine.js';
import {
  digestOf,
  fileLayer,
  PlainRepository,
  serviceImage as registryImage,
} from '../../../../test/support/registry-image.js';
import { startRegistryServer, type RegistryServer } from '../../../../test/support/registry.js';
import { newFolder } from '../../../../test/support/shared-servers.js';
import { contextOf } from '../../../../test/support/step-context.js';
import { targetOf } from './far-engine.js';

const MIB = 1024 * 1024;
/** An image's own file, which nothing packs. */
const BALLAST = 24 * MIB;
const REFERENCE = 'liftlock-test-room:1.0';

let own: OwnEngine;
let docker: Docker;
let driver: Driver;
let registry: RegistryServer;
let folder: string;

beforeAll(async () => {
  [own, registry] = await Promise.all([
    OwnEngine.start([], '160m'),
    startRegistryServer({ accessLog: true }),
  ]);
  docker = own.docker;
  folder = newFolder('room');
});
beforeEach(async () => {
  driver = await dockerDriver();
});
afterEach(async () => {
  await driver.close();
  rmSync(block(), { force: true });
  for (const { Id } of await docker.listImages())
    await docker
      .getImage(Id)
      .remove({ force: true })
      .catch(() => undefined);
  for (const { Name } of (await docker.listVolumes()).Volumes ?? [])
    await docker.getVolume(Name).remove();
});
afterAll(async () => {
  await Promise.all([own?.stop(), registry?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const block = (): string => join(own.dataFolder, 'block');
const context = (changes: Partial<StepContext> = {}): StepContext =>
  contextOf(own.host, { upgrade: 'one', target: targetOf(own.host), ...changes });

test('an archive that an engine has no room to unpack and to take the layers from is refused before anything is touched', async () => {
  const archive = await savedArchive();
  // the image of the helper that looks must not be what fills the disk
  const there = (await docker.getImage(REFERENCE).inspect()).Id;
  await driver.images.prepare(context(), { image: { reference: REFERENCE, id: there } });
  const input = { image: { reference: REFERENCE, id: there }, archive };
  await docker.getImage(there).remove({ force: true });
  // another image has the name, which a load would take away from it
  const other = await imported(REFERENCE, 1024);

  const leave = BALLAST + BALLAST / 2;
  await fill(leave);
  const before = own.freeBytes();
  const refused = await failureOf(driver.images.prepare(context(), input));
  expect(refused, refused.message).toMatchObject({ code: 'disk_full', retryable: false });
  expect(refused.message).toMatch(
    /1 of 1 layers of the archive .*image\.tar, .* 2[4-5]\.\d MiB packed and need at least 4[89]\.\d MiB on far \(the engine unpacks the archive, .*\), where 3[5-7]\.\d MiB are free: nothing was loaded; free space/,
  );
  const { neededBytes, freeBytes, target } = refused.details as Record<string, number>;
  expect(target).toBe('far');
  expect(neededBytes).toBeGreaterThan(2 * BALLAST);
  expect(freeBytes).toBeLessThanOrEqual(before + MIB);
  expect((await docker.getImage(REFERENCE).inspect()).Id).toBe(other);
  expect((await docker.listVolumes()).Volumes ?? []).toEqual([]);
  expect(own.freeBytes()).toBeGreaterThan(before - MIB);

  // and so it is: the engine itself finds no room
  const answer = await docker.loadImage(createReadStream(archive)).then(
    (stream) => text(stream as Readable),
    (error: unknown) => String(error),
  );
  expect(answer).toMatch(/no space left on device/);

  rmSync(block());
  const states: TransferState[] = [];
  const loading = context({ transfer: (state) => void states.push(state) });
  expect(await driver.images.prepare(loading, input)).toEqual({
    imageId: there,
    found: 'done_now',
  });
  const { doneBytes, totalBytes } = states.at(-1) ?? { doneBytes: 0, totalBytes: 0 };
  expect(totalBytes).toBeGreaterThan(2 * BALLAST);
  expect(doneBytes).toBe(totalBytes);
});

test('images of one upgrade that fit one by one, and not together: none is pulled', async () => {
  const images = await Promise.all(['a', 'b', 'c'].map((name) => pushed(name)));
  await driver.images.prepare(context(), await present());
  await fill(60 * MIB);
  const before = registry.accesses().length;
  const meet = meetingOf(images.length);
  const together = await Promise.all(
    images.map(({ input, lookUp }) =>
      failureOf(driver.images.prepare(context(), input, meet(lookUp))),
    ),
  );
  for (const refused of together) {
    expect(refused, refused.message).toMatchObject({ code: 'disk_full', retryable: false });
    expect(refused.message).toMatch(
      /need at least 2\d\.\d MiB on far \(the 3 that this upgrade brings there need 7\d\.\d MiB together\), where [56]\d\.\d MiB are free: nothing was pulled/,
    );
    expect(refused.details).toMatchObject({ target: 'far' });
  }
  expect(registry.accesses()).toHaveLength(before);
  for (const { input, lookUp } of images.slice(0, 1))
    expect(await driver.images.prepare(context(), input, lookUp)).toMatchObject({
      found: 'done_now',
    });
});

test('what another upgrade is bringing there counts, until it has ended', async () => {
  const silent = await SilentRegistry.start();
  const stop = new AbortController();
  try {
    const { input, lookUp } = await pushed('later');
    await driver.images.prepare(context(), await present());
    await fill(60 * MIB);
    const hanging = context({ upgrade: 'two', signal: stop.signal });
    const digest = `127.0.0.1:${silent.port}/app@sha256:${'1'.repeat(64)}`;
    const first = driver.images.prepare(hanging, { image: { reference: 'app:1.0', digest } }, () =>
      Promise.resolve([{ bytes: 40 * MIB, isCompressed: false, diffId: 'sha256:hanging' }]),
    );
    first.catch(() => undefined);
    await waitFor(() => silent.wasAsked, { what: 'the first pull', deadlineMs: 60_000 });
    const refused = await failureOf(driver.images.prepare(context(), input, lookUp));
    expect(refused, refused.message).toMatchObject({ code: 'disk_full' });
    expect(refused.message).toMatch(
      /need at least 2\d\.\d MiB on far \(what is on its way there needs 40\.0 MiB more\), where/,
    );
    stop.abort(new Error('called back'));
    await failureOf(first);
    expect(await driver.images.prepare(context(), input, lookUp)).toMatchObject({
      found: 'done_now',
    });
  } finally {
    stop.abort(new Error('the test is over'));
    await silent.stop();
  }
});

/** An image in the registry, and what its registry would say of it. */
async function pushed(
  name: string,
): Promise<{ input: { image: { reference: string; digest: string } }; lookUp: LookUpLayers }> {
  const image = await registryImage('', BALLAST);
  const digest = await new PlainRepository(registry.host, name).push('1', image);
  return {
    input: { image: { reference: `${name}:1`, digest: `${registry.host}/${name}@${digest}` } },
    lookUp: () =>
      Promise.resolve(
        image.layers.map((layer) => ({
          ...{ bytes: layer.byteLength, isCompressed: false, diffId: digestOf(layer) },
        })),
      ),
  };
}

/** An image that is there, so that to prepare it makes the helpers' image only. */
async function present(): Promise<{ image: { reference: string; id: string } }> {
  return { image: { reference: 'small:1', id: await imported('small:1', 1024) } };
}

async function imported(reference: string, bytes: number): Promise<string> {
  const layer = await fileLayer('ballast', randomBytes(bytes));
  const [repo = '', tag = ''] = reference.split(':');
  const answer = await docker.importImage(
    Readable.from([layer]) as NodeJS.ReadableStream,
    {
      repo,
      tag,
    } as object,
  );
  await text(answer as Readable);
  return (await docker.getImage(reference).inspect()).Id;
}

/** `docker save` of an image with the ballast, which is there afterwards. */
async function savedArchive(): Promise<string> {
  await imported(REFERENCE, BALLAST);
  const path = join(folder, 'image.tar');
  await pipeline(await docker.getImage(REFERENCE).get(), createWriteStream(path));
  return path;
}

/** Writes a file until so many bytes are free. */
async function fill(leave: number): Promise<void> {
  await waitFor(
    () => {
      const size = own.freeBytes() - leave;
      if (size > 0) writeFileSync(block(), Buffer.alloc(Math.min(size, MIB), 1), { flag: 'a' });
      return own.freeBytes() <= leave;
    },
    { what: 'a disk with little room', deadlineMs: 60_000, everyMs: 1 },
  );
}

/** Takes connections, and says nothing. */
class SilentRegistry {
  wasAsked = false;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (socket) => {
      this.wasAsked = true;
      this.sockets.add(socket);
      socket.on('error', () => undefined);
    });
  }

  static async start(): Promise<SilentRegistry> {
    const server = createServer();
    const silent = new SilentRegistry(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return silent;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
