import { generateIdentity, identityToRecipient } from 'age-encryption';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SecretStore } from '#drivers/core';
import { systemIds } from '#kernel';
import type { BackupFolder, BackupKey } from '../src/repository/backup-folder.js';
import { Encryption } from '../src/repository/encryption.js';
import { FolderStore } from '../src/repository/folder-store.js';
import { Repository } from '../src/repository/repository.js';
import { expectRefused } from './support/expect-refused.js';
import { s3StoreOn } from './support/s3-store-on.js';
import { S3Server } from '../../../test/support/s3-server.js';
import { someManifest } from './support/some-manifest.js';

const MIB = 1024 * 1024;
const never = new AbortController().signal;
const guard = (): Promise<void> => Promise.resolve();
const REFERENCE = 'env:LIFTLOCK_SECRET_BACKUP_KEY';

let server: S3Server;
let root: string;
let key: BackupKey;
let identity: string;
beforeAll(async () => {
  server = await S3Server.start();
  identity = await generateIdentity();
});
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'liftlock-store-'));
  key = {
    ...{ environment: 'test', application: 'app' },
    ...{ upgrade: systemIds.next('upg'), backup: 'h1-web@docker-1' },
  };
});
afterEach(() => {
  server.clear();
  rmSync(root, { recursive: true, force: true });
});
afterAll(() => server?.stop());

/** What lies in the repository, by its path below it. */
interface Bytes {
  paths(): string[];
  read(path: string): Buffer;
  write(path: string, bytes: Buffer): void;
}

const onDisk: Bytes = {
  paths: () =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
  read: (path) => readFileSync(join(root, path)),
  write: (path, bytes) => writeFileSync(join(root, path), bytes),
};
const inBucket: Bytes = {
  paths: () => [...server.objects.keys()].map((name) => name.slice('liftlock/'.length)),
  read: (path) => server.objects.get(`liftlock/${path}`)?.body ?? Buffer.alloc(0),
  write: (path, body) => {
    const found = server.objects.get(`liftlock/${path}`);
    if (found !== undefined) found.body = body;
  },
};

const encryptionOf = async (isOn: boolean): Promise<Encryption> =>
  new Encryption(
    { recipients: isOn ? [await identityToRecipient(identity)] : [], keys: [REFERENCE] },
    new SecretStore({ variables: { LIFTLOCK_SECRET_BACKUP_KEY: identity } }),
  );

async function write(folder: BackupFolder, bytes: Buffer, token = 1): Promise<void> {
  const attempt = await folder.begin(token);
  const archive = await attempt.writeArchive('data.tar.zst', Readable.from([bytes]), never);
  await attempt.commit(someManifest(key, archive, token), guard);
}

async function read(folder: BackupFolder): Promise<Buffer> {
  const manifest = await folder.manifest();
  if (manifest === undefined) throw new Error('there is no backup');
  await folder.opened(manifest);
  await folder.verifyArchive(manifest, never);
  return buffer(folder.readArchive(manifest, never));
}

async function listed(repository: Repository): Promise<BackupKey[]> {
  const found: BackupKey[] = [];
  for await (const one of repository.store.scan()) found.push(one);
  return found;
}

const folderStore = (): FolderStore => new FolderStore(root);
const s3Store = (): ReturnType<typeof s3StoreOn> => s3StoreOn(server);
const CASES = [
  { name: 'a folder', store: folderStore, bytes: onDisk, isEncrypted: false },
  { name: 'a folder, encrypted', store: folderStore, bytes: onDisk, isEncrypted: true },
  { name: 'a bucket', store: s3Store, bytes: inBucket, isEncrypted: false },
  { name: 'a bucket, encrypted', store: s3Store, bytes: inBucket, isEncrypted: true },
];

describe.each(CASES)('a backup in $name', ({ store, bytes: stored, isEncrypted }) => {
  let repository: Repository;
  let folder: BackupFolder;
  beforeEach(async () => {
    repository = new Repository(store(), await encryptionOf(isEncrypted));
    folder = repository.folder(key);
  });

  test('is listed when all of it is there, comes back as it was, and is gone at once', async () => {
    const bytes = randomBytes(20 * MIB);
    const attempt = await folder.begin(1);
    const body = Readable.from([bytes.subarray(0, 3), bytes.subarray(3)]);
    let told = 0;
    const archive = await attempt.writeArchive('data.tar.zst', body, never, (more) => {
      told += more;
    });
    expect(told).toBe(archive.bytes);
    expect(await listed(repository)).toEqual([]);
    expect(await folder.look(archive.bytes)).toBe('missing');
    const committed = await attempt.commit(someManifest(key, archive), guard);
    expect(await folder.manifest()).toEqual(committed);
    expect(await listed(repository)).toEqual([key]);
    expect(await folder.look(archive.bytes)).toBe('there');
    expect(await folder.look(archive.bytes + 1)).toBe('damaged');
    expect((await read(folder)).equals(bytes)).toBe(true);
    // what ends after it counts takes nothing away
    await attempt.discard();
    expect((await read(folder)).equals(bytes)).toBe(true);
    const deleteFiles = await folder.takeOut();
    expect(await listed(repository)).toEqual([]);
    expect(await folder.takeOut()).toBeUndefined();
    await deleteFiles?.();
    expect(stored.paths()).toEqual([]);
  });

  test('is read back before it counts, as it is when it counts; a bit that was flipped meanwhile is seen', async () => {
    const bytes = randomBytes(MIB);
    const attempt = await folder.begin(1);
    const archive = await attempt.writeArchive('data.tar.zst', Readable.from([bytes]), never);
    expect((await buffer(attempt.readArchive(archive, never))).equals(bytes)).toBe(true);
    expect(await listed(repository)).toEqual([]);
    const [path = ''] = stored.paths();
    const flipped = Buffer.from(stored.read(path));
    flipped.writeUInt8(flipped.readUInt8(MIB >> 1) ^ 1, MIB >> 1);
    stored.write(path, flipped);
    await expectRefused(
      buffer(attempt.readArchive(archive, never)),
      'data_corrupt',
      /h1-web@docker-1\/data\..* (has sha256|is changed)/,
    );
    const keyless = new Repository(
      repository.store,
      new Encryption({ recipients: [await identityToRecipient(identity)], keys: [] }),
    );
    await expectRefused(keyless.folder(key).begin(2), 'misconfigured', /names no key/);
    await attempt.discard();
    expect(stored.paths()).toEqual([]);
  });

  test('has no name of a file in it when it is encrypted, and is opened with the key only', async () => {
    await write(folder, Buffer.from('secret salaries'));
    const all = stored.paths().map((path) => stored.read(path).toString('latin1'));
    expect(all.join('').includes('payroll')).toBe(!isEncrypted);
    expect(all.join('').includes('salaries')).toBe(!isEncrypted);
    const manifest = await folder.manifest();
    if (manifest === undefined) throw new Error('there is no backup');
    expect((await folder.opened(manifest)).entries).toMatchObject([{ path: '/data/payroll.db' }]);
    const keyless = new Repository(repository.store).folder(key);
    // what needs no key is there without one
    await keyless.verifyArchive(manifest, never);
    if (!isEncrypted) return;
    await expectRefused(
      keyless.opened(manifest),
      'misconfigured',
      /h1-web@docker-1\/manifest\.json is encrypted to age1.* names no key/,
    );
    await expectRefused(
      buffer(keyless.readArchive(manifest, never)),
      'misconfigured',
      /h1-web@docker-1\/data\.[\w.]*age is encrypted/,
    );
  });

  test('with one bit flipped, anywhere, is refused', async () => {
    await write(folder, randomBytes(200));
    const unseen: string[] = [];
    for (const path of stored.paths()) {
      const whole = stored.read(path);
      for (let at = 0; at < whole.length; at += 7) {
        const flipped = Buffer.from(whole);
        flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at);
        stored.write(path, flipped);
        const code = await read(folder).then(
          () => 'read',
          (error: { code?: string }) => error.code,
        );
        if (code !== 'data_corrupt') unseen.push(`${path} at ${at}: ${code}`);
      }
      stored.write(path, whole);
    }
    expect(unseen).toEqual([]);
    await read(folder);
  }, 120_000);

  test('of two attempts at once is the whole of one, and the other says so', async () => {
    const [one, other] = [randomBytes(MIB), randomBytes(MIB)];
    const outcomes = await Promise.allSettled([write(folder, one, 1), write(folder, other, 2)]);
    const lost = outcomes.filter(({ status }) => status === 'rejected');
    // each may have been in the other's way: then it is tried again
    if (lost.length === 2) await write(folder, one, 3);
    const found = await read(folder);
    expect(found.equals(one) || found.equals(other)).toBe(true);
    await expectRefused(write(folder, other, 4), 'not_empty', /there is a backup .* already/);
    expect((await read(folder)).equals(found)).toBe(true);
  });

  test('whose attempt fails at any point leaves nothing that is listed, and the next one ends it', async () => {
    const failures: Array<(attempt: Awaited<ReturnType<BackupFolder['begin']>>) => Promise<void>> =
      [
        async (attempt) => {
          const cut = Readable.from(
            (async function* () {
              yield randomBytes(9 * MIB);
              throw new Error(await Promise.resolve('the source is gone'));
            })(),
          );
          await attempt.writeArchive('data.tar.zst', cut, never);
        },
        async (attempt) => {
          const abort = new AbortController();
          const body = Readable.from(
            (async function* () {
              yield randomBytes(9 * MIB);
              abort.abort(new Error('called back'));
              yield await Promise.resolve(randomBytes(9 * MIB));
            })(),
          );
          await attempt.writeArchive('data.tar.zst', body, abort.signal);
        },
        async (attempt) => {
          const body = Readable.from([randomBytes(MIB)]);
          const archive = await attempt.writeArchive('data.tar.zst', body, never);
          await attempt.commit(someManifest(key, archive), () =>
            Promise.reject(new Error('a later attempt has taken over')),
          );
        },
      ];
    const said = [
      /^the source is gone$/,
      /^(called back|The operation was aborted)$/,
      /later attempt/,
    ];
    for (const [at, fails] of failures.entries()) {
      const attempt = await folder.begin(at + 1);
      await expect(fails(attempt)).rejects.toThrow(said[at]);
      await attempt.discard();
      expect(stored.paths()).toEqual([]);
      expect([...server.uploads]).toEqual([]);
      expect(await listed(repository)).toEqual([]);
    }
    await write(folder, Buffer.from('whole'), 9);
    expect((await read(folder)).toString()).toBe('whole');
  });

  test('that is not encrypted stays readable where new ones are, and the other way round', async () => {
    await write(folder, Buffer.from('before'));
    const changed = new Repository(repository.store, await encryptionOf(!isEncrypted));
    expect((await read(changed.folder(key))).toString()).toBe('before');
  });
});

test('a folder that is not there is no repository, and is not made', async () => {
  const gone = new FolderStore(join(root, 'unmounted'));
  await expectRefused(gone.freeBytes(), 'misconfigured', /there is no folder .*unmounted/);
  expect(existsSync(join(root, 'unmounted'))).toBe(false);
});
