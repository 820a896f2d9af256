import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { LiftlockError, systemIds } from '#kernel';
import type { BackupFolder, BackupKey } from '../src/repository/backup-folder.js';
import { Repository } from '../src/repository/repository.js';
import type { S3Store } from '../src/repository/s3/s3-store.js';
import { expectRefused } from './support/expect-refused.js';
import { S3Server, type Asked, type Fault } from '../../../test/support/s3-server.js';
import { s3StoreOn } from './support/s3-store-on.js';
import { someManifest } from './support/some-manifest.js';

const MIB = 1024 * 1024;
const HOUR = 3_600_000;
const never = new AbortController().signal;
const guard = (): Promise<void> => Promise.resolve();
const upgrade = systemIds.next('upg');
const key: BackupKey = {
  ...{ environment: 'test', application: 'app', upgrade, backup: 'h1-web@docker-1' },
};
const prefix = `liftlock/test/app/${upgrade}/h1-web@docker-1`;

let server: S3Server;
beforeAll(async () => {
  server = await S3Server.start();
});
afterEach(() => server.clear());
afterAll(() => server?.stop());

const folderIn = (store: S3Store): BackupFolder => new Repository(store).folder(key);

async function write(folder: BackupFolder, bytes: Buffer, token = 1): Promise<void> {
  const attempt = await folder.begin(token);
  try {
    const archive = await attempt.writeArchive('data.tar.zst', Readable.from([bytes]), never);
    await attempt.commit(someManifest(key, archive, token), guard);
  } catch (error) {
    await attempt.discard();
    throw error;
  }
}

async function read(folder: BackupFolder): Promise<Buffer> {
  const manifest = await folder.manifest();
  if (manifest === undefined) throw new Error('there is no backup');
  return buffer(folder.readArchive(manifest, never));
}

const isPart = ({ method, query }: Asked): boolean => method === 'PUT' && query.has('partNumber');
const isEnd = ({ method, query }: Asked): boolean => method === 'POST' && query.has('uploadId');
const isBegin = ({ method, query }: Asked): boolean => method === 'POST' && query.has('uploads');
const isManifest = ({ method, key: asked }: Asked): boolean =>
  method === 'PUT' && asked.endsWith('manifest.json');
const isManifestRead = ({ method, key: asked }: Asked): boolean =>
  method === 'GET' && asked.endsWith('manifest.json');
const isArchiveRead = ({ method, key: asked }: Asked): boolean =>
  method === 'GET' && asked.includes('/data.');
const error500 = { code: 'InternalError', status: 500 };

describe('what passes is not seen', () => {
  const PASSING: Array<[string, Fault[]]> = [
    ['an error of the server at a part', [{ when: isPart, times: 2, does: error500 }]],
    [
      'a store that asks for slower steps',
      [{ when: isPart, times: 2, does: { code: 'SlowDown', status: 503 } }],
    ],
    ['the lost answer to a part', [{ when: isPart, does: 'answer lost' }]],
    ['the lost answer to the end of an upload', [{ when: isEnd, does: 'answer lost' }]],
    ['the lost answer to the manifest', [{ when: isManifest, does: 'answer lost' }]],
    ['no answer to a part', [{ when: isPart, does: 'no answer' }]],
    ['an error where an upload begins', [{ when: isBegin, does: error500 }]],
    [
      'an archive that is cut in reading, again and again',
      [{ when: isArchiveRead, times: 5, does: { cutAfter: 3 * MIB } }],
    ],
    [
      'a manifest that is cut in reading',
      [{ when: isManifestRead, times: 2, does: { cutAfter: 100 } }],
    ],
    [
      'an archive that is cut before its first byte',
      [{ when: isArchiveRead, times: 2, does: { cutAfter: 0 } }],
    ],
  ];
  test.each(PASSING)('%s', async (_name, faults) => {
    const folder = folderIn(s3StoreOn(server, { idleMs: 2_000 }));
    const bytes = randomBytes(20 * MIB);
    server.faults.push(...faults.map((fault) => ({ ...fault })));
    await write(folder, bytes);
    expect((await read(folder)).equals(bytes)).toBe(true);
    expect(server.faults).toEqual([]);
    expect([...server.uploads]).toEqual([]);
    expect(server.objects.size).toBe(2);
  });

  test('a store that knows no conditions', async () => {
    server.knowsConditions = false;
    const folder = folderIn(s3StoreOn(server));
    await write(folder, Buffer.from('one'));
    await expectRefused(write(folder, Buffer.from('other')), 'not_empty');
    expect((await read(folder)).toString()).toBe('one');
    expect(server.objects.size).toBe(2);
  });
});

test('what a store puts in place of a manifest that it was asked to keep is told from it', async () => {
  const folder = folderIn(s3StoreOn(server));
  const other = Buffer.from('another attempt’s');
  server.faults.push({
    when: ({ method, key: asked }) => {
      const manifest = server.objects.get(asked);
      if (method === 'GET' && asked.endsWith('manifest.json') && manifest !== undefined)
        manifest.body = other;
      return false;
    },
    does: 'no answer',
  });
  await expectRefused(write(folder, randomBytes(9)), 'not_empty', /there is a backup .* already/);
  expect([...server.objects.values()].map(({ body }) => body)).toEqual([other]);
});

describe('what stays is named, and leaves nothing that counts', () => {
  const STAYING: Array<[string, Fault[], string, RegExp]> = [
    [
      'a part that the store has lost',
      [
        { when: isPart, does: 'part lost' },
        { when: isEnd, does: 'part lost' },
      ],
      'unavailable',
      /data\.1\.\w+\.tar\.zst has \d+ bytes, and 20971520 were sent/,
    ],
    [
      'a part whose tag is wrong',
      [{ when: isPart, does: 'wrong etag' }],
      'unavailable',
      /does not answer as it should.*InvalidPart, HTTP 400/,
    ],
    [
      'a server that fails for good',
      [{ when: isPart, times: 99, does: error500 }],
      'unavailable',
      /127\.0\.0\.1.* does not answer as it should.*InternalError, HTTP 500/,
    ],
    [
      'a store that is full',
      [{ when: isPart, times: 99, does: { code: 'XMinioStorageFull', status: 507 } }],
      'disk_full',
      /make room/,
    ],
    [
      'a manifest that is refused',
      [{ when: isManifest, does: { code: 'AccessDenied', status: 403 } }],
      'misconfigured',
      /rights on the bucket backups.*s3:PutObject/,
    ],
  ];
  test.each(STAYING)('%s', async (_name, faults, code, message) => {
    const folder = folderIn(s3StoreOn(server, { attempts: 2 }));
    server.faults.push(...faults.map((fault) => ({ ...fault })));
    await expectRefused(write(folder, randomBytes(20 * MIB)), code, message);
    server.faults.length = 0;
    expect(await folder.manifest()).toBeUndefined();
    expect([...server.uploads]).toEqual([]);
    await write(folder, Buffer.from('whole'), 2);
    expect((await read(folder)).toString()).toBe('whole');
  });

  test('a bucket that is not there, keys that are wrong, a store that is away', async () => {
    const refused = (
      changes: Parameters<typeof s3StoreOn>[1],
      code: string,
      message: RegExp,
    ): Promise<void> =>
      expectRefused(write(folderIn(s3StoreOn(server, changes)), randomBytes(9)), code, message);
    await refused({ bucket: 'none' }, 'misconfigured', /there is no bucket none: make it, or set/);
    const { id, secret } = server.keys;
    const KEYS = /not accept the keys that env:LIFTLOCK_SECRET_S3 stands for/;
    await refused({ variable: `${id}:wrong` }, 'misconfigured', KEYS);
    await refused({ variable: `NOBODY:${secret}` }, 'misconfigured', KEYS);
    await refused({ variable: secret }, 'misconfigured', /is not `<access key id>:<secret/);
    await s3StoreOn(server, { variable: `${id}\n${secret}\n` }).sweep(() => Promise.resolve(true));
    await refused({ variable: '' }, 'misconfigured', /does not know LIFTLOCK_SECRET_S3/);
    const away = { endpoint: 'http://127.0.0.1:9', attempts: 1 };
    await refused(away, 'unavailable', /127\.0\.0\.1:9 does not answer.*ECONNREFUSED/);
  });

  test('and no error says the secret key', async () => {
    const { id, secret } = server.keys;
    const folder = folderIn(s3StoreOn(server, { attempts: 1 }));
    server.faults.push({ when: () => true, times: 9, does: { code: 'AccessDenied', status: 403 } });
    const error = await write(folder, randomBytes(9)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LiftlockError);
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(secret);
    expect(id).not.toBe('');
  });

  test('an archive that is another one while it is read', async () => {
    const folder = folderIn(s3StoreOn(server, { attempts: 1 }));
    await write(folder, randomBytes(9 * MIB));
    const [archive] = [...server.objects.keys()].filter((name) => name.includes('/data.'));
    server.faults.push(
      { when: isArchiveRead, does: { cutAfter: MIB } },
      {
        when: ({ headers }) => {
          const body = randomBytes(9 * MIB);
          if (headers.range !== undefined)
            server.objects.set(archive ?? '', { body, etag: '"another"', modified: new Date() });
          return false;
        },
        does: 'no answer',
      },
    );
    await expectRefused(read(folder), 'unavailable', /PreconditionFailed/);
  });
});

describe('what a killed attempt left', () => {
  /** As a process leaves it that was killed: an upload in the middle, an archive that is whole, or both. */
  async function leave(): Promise<void> {
    const folder = folderIn(s3StoreOn(server));
    const attempt = await folder.begin(7);
    await attempt.writeArchive('data.tar.zst', Readable.from([randomBytes(9)]), never);
    server.uploads.set('left', { key: `${prefix}/data.8.abcdef01.tar.zst`, parts: new Map() });
  }

  test('is given up by the next attempt as far as it is not whole, and never listed', async () => {
    await leave();
    const folder = folderIn(s3StoreOn(server));
    expect(await folder.manifest()).toBeUndefined();
    await write(folder, Buffer.from('whole'), 9);
    expect([...server.uploads]).toEqual([]);
    expect((await read(folder)).toString()).toBe('whole');
  });

  test.each([
    ['at work', false, 2 * HOUR, 1, 1],
    ['at rest, and young', true, 0, 1, 0],
    ['at rest, and old', true, 2 * HOUR, 0, 0],
    ['of an upgrade that nobody knows, a week old', false, 8 * 24 * HOUR, 0, 1],
  ])('%s', async (_name, atRest, age, archives, uploads) => {
    await leave();
    const store = s3StoreOn(server, {}, () => Date.now() + age);
    const asked: string[] = [];
    await store.sweep((one) => {
      asked.push(one);
      return Promise.resolve(atRest);
    });
    expect([server.objects.size, server.uploads.size]).toEqual([archives, uploads]);
    expect(new Set(asked)).toEqual(new Set([upgrade]));
  });

  test('is told from what counts: beside it, or beside a manifest that cannot be read', async () => {
    await leave();
    const folder = folderIn(s3StoreOn(server));
    await write(folder, Buffer.from('whole'), 9);
    expect(server.objects.size).toBe(3);
    const manifest = server.objects.get(`${prefix}/manifest.json`);
    if (manifest === undefined) throw new Error('there is no manifest');
    const whole = manifest.body;
    manifest.body = Buffer.from('{');
    const store = s3StoreOn(server, {}, () => Date.now() + 8 * 24 * HOUR);
    const sweep = (): Promise<string[]> => store.sweep(() => Promise.resolve(true));
    expect(await sweep()).toEqual([]);
    manifest.body = whole;
    expect(await sweep()).toEqual([expect.stringMatching(/data\.7\.\w+\.tar\.zst$/)]);
    expect((await read(folder)).toString()).toBe('whole');
  });

  test('and what was swept while its attempt stood still does not count when it goes on', async () => {
    const folder = folderIn(s3StoreOn(server));
    const attempt = await folder.begin(1);
    const archive = await attempt.writeArchive(
      'data.tar.zst',
      Readable.from([randomBytes(9)]),
      never,
    );
    const late = attempt.commit(someManifest(key, archive), async () => {
      const store = s3StoreOn(server, {}, () => Date.now() + 2 * HOUR);
      await store.sweep(() => Promise.resolve(true));
    });
    await expectRefused(late, 'unavailable', /is gone, or not as long as it was written/);
    expect(server.objects.size).toBe(0);
  });

  test('is found in a list of many pages', async () => {
    for (let at = 0; at < 10; at += 1) {
      const folder = new Repository(s3StoreOn(server)).folder({ ...key, backup: `b${at}` });
      await folder.begin(1);
      server.uploads.set(`left${at}`, { key: `${prefix}${at}/data.1.0.tar.zst`, parts: new Map() });
      server.objects.set(`${prefix}${at}/manifest.json`, {
        ...{ body: Buffer.from('{}'), etag: '"1"', modified: new Date() },
      });
    }
    const found: string[] = [];
    for await (const { backup } of s3StoreOn(server).scan()) found.push(backup);
    expect(found).toHaveLength(10);
    await s3StoreOn(server).sweep(() => Promise.resolve(true));
    expect(server.uploads.size).toBe(0);
  });
});
