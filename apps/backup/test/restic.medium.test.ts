import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemIds, waitFor } from '#kernel';
import { RUN_SOURCE } from '../../../test/support/run-source.js';
import type { Manifest } from '../src/domain/manifest.js';
import type { BackupFolder, BackupKey } from '../src/repository/backup-folder.js';
import { FolderStore } from '../src/repository/folder-store.js';
import { Repository } from '../src/repository/repository.js';
import type { Store, StoredArchive } from '../src/repository/store.js';
import { expectRefused } from './support/expect-refused.js';
import { RESTIC_REFERENCE, resticRepository } from './support/restic-repository.js';
import { s3StoreOn } from './support/s3-store-on.js';
import { S3Server } from '../../../test/support/s3-server.js';
import { someManifest } from './support/some-manifest.js';

const MIB = 1024 * 1024;
const never = new AbortController().signal;
const guard = (): Promise<void> => Promise.resolve();
const yes = (): Promise<boolean> => Promise.resolve(true);
const KILLED = fileURLToPath(new URL('./support/killed-while-restic-writes.ts', import.meta.url));

let server: S3Server;
let root: string;
let key: BackupKey;
const opened: Repository[] = [];
beforeAll(async () => {
  server = await S3Server.start();
});
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'liftlock-restic-'));
  key = newKey();
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  server.clear();
  rmSync(root, { recursive: true, force: true });
});
afterAll(() => server?.stop());

const newKey = (): BackupKey => ({
  ...{ environment: 'test', application: 'app' },
  ...{ upgrade: systemIds.next('upg'), backup: 'h1-web@docker-1' },
});
const place = (): string => join(root, 'test/app/restic');

function open(store: Store = new FolderStore(root), password?: string): Repository {
  const repository = resticRepository(store, password);
  opened.push(repository);
  return repository;
}

async function write(folder: BackupFolder, of: BackupKey, bytes: Buffer): Promise<StoredArchive> {
  await folder.archives().make(never);
  const attempt = await folder.begin(1, 'restic');
  let told = 0;
  const body = Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]);
  const archive = await attempt.writeArchive('data.tar', body, never, (more) => (told += more));
  expect(told).toBe(bytes.length);
  expect((await buffer(attempt.readArchive(archive, never))).equals(bytes)).toBe(true);
  const manifest = someManifest(of, { ...archive, format: 'tar' });
  await attempt.commit(manifest, guard);
  // what ends after it counts takes nothing away
  await attempt.discard();
  return archive;
}

async function read(folder: BackupFolder): Promise<Buffer> {
  const manifest = await folder.manifest();
  if (manifest === undefined) throw new Error('there is no backup');
  await folder.opened(manifest);
  return buffer(folder.readArchive(manifest, never));
}

async function listed({ store }: Repository): Promise<BackupKey[]> {
  const found: BackupKey[] = [];
  for await (const one of store.scan()) found.push(one);
  return found;
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes, { mode: 0o600 });
}

const packs = (): string[] =>
  readdirSync(join(place(), 'data'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

const STORES = [
  { name: 'a folder', store: (): Store => new FolderStore(root) },
  { name: 'a bucket', store: (): Store => s3StoreOn(server) },
];

describe.each(STORES)('what restic keeps in $name', ({ store }) => {
  test('comes back as it was, adds only what is new, and goes with its backup', async () => {
    const repository = open(store());
    const bytes = randomBytes(24 * MIB);
    const first = repository.folder(key);
    const archive = await write(first, key, bytes);
    expect(archive).toMatchObject({ file: 'data.tar', bytes: bytes.length });
    expect(archive.restic?.addedBytes).toBeGreaterThanOrEqual(bytes.length);
    const later = newKey();
    const second = repository.folder(later);
    const again = await write(second, later, Buffer.concat([bytes, randomBytes(MIB)]));
    expect(again.restic?.addedBytes).toBeLessThan(bytes.length * 0.4);
    expect(await first.manifest()).toMatchObject({ version: 6, archive: { ...archive } });
    expect((await listed(repository)).length).toBe(2);
    expect(await first.look(archive.bytes, archive.restic?.snapshot)).toBe('there');
    await (
      await first.takeOut(archive.restic?.snapshot)
    )?.();
    await waitFor(async () => !(await second.archives().has(archive.restic?.snapshot ?? '')), {
      ...{ what: 'the snapshot of a backup that is gone', deadlineMs: 60_000 },
    });
    expect(await listed(repository)).toEqual([later]);
    expect((await read(second)).subarray(0, bytes.length).equals(bytes)).toBe(true);
    expect(await second.look(archive.bytes, archive.restic?.snapshot)).toBe('damaged');
  });
});

describe('what restic keeps', () => {
  test('with a bit flipped, or another password, is refused, and the two are told apart', async () => {
    const folder = open().folder(key);
    await write(folder, key, randomBytes(3 * MIB));
    const manifest = await folder.manifest();
    if (manifest === undefined) throw new Error('there is no backup');
    const other = open(undefined, 'another').folder(key);
    await expectRefused(other.opened(manifest), 'misconfigured', new RegExp(RESTIC_REFERENCE));
    await expectRefused(other.begin(2, 'restic'), 'misconfigured', /another password/);
    const [keyFile = ''] = readdirSync(join(place(), 'keys'));
    flip(join(place(), 'keys', keyFile));
    await expectRefused(folder.opened(manifest), 'data_corrupt', new RegExp(keyFile));
    flip(join(place(), 'keys', keyFile));
    await folder.verifyArchive(manifest, never);
  });

  test('with a piece that is damaged is built on by no other, and is whole again when one brings that piece anew', async () => {
    const folder = open().folder(key);
    const bytes = randomBytes(3 * MIB);
    await write(folder, key, bytes);
    const manifest = await folder.manifest();
    if (manifest === undefined) throw new Error('there is no backup');
    const [largest = ''] = packs().toSorted((a, b) => statSync(b).size - statSync(a).size);
    flip(largest);
    await expectRefused(folder.verifyArchive(manifest, never), 'data_corrupt', /read-data/);
    const later = newKey();
    await expectRefused(write(open().folder(later), later, bytes), 'data_corrupt');
    // as the documentation says
    rmSync(largest);
    const env = { ...process.env, RESTIC_PASSWORD: 'of-the-tests', RESTIC_REPOSITORY: place() };
    execFileSync('restic', ['--no-cache', '--quiet', 'rebuild-index'], { env });
    const last = newKey();
    await write(open().folder(last), last, bytes);
    await folder.verifyArchive(manifest, never);
  });

  test('needs a password that the service knows, and is asked for before anything is read', async () => {
    const repository = new Repository(new FolderStore(root));
    await expectRefused(
      repository.folder(key).begin(1, 'restic'),
      'misconfigured',
      /LIFTLOCK_BACKUP_RESTIC_PASSWORD/,
    );
    expect(readdirSync(root)).toEqual([]);
  });

  test('of a source that was cut off there is no snapshot; the next attempt succeeds', async () => {
    const repository = open();
    const folder = repository.folder(key);
    await folder.archives().make(never);
    const attempt = await folder.begin(1, 'restic');
    const cut = Readable.from(
      (async function* () {
        yield randomBytes(MIB);
        throw new Error('the helper is gone');
      })(),
      { objectMode: false },
    );
    await expect(attempt.writeArchive('data.tar', cut, never)).rejects.toThrow(/helper is gone/);
    await attempt.discard();
    expect(readdirSync(join(place(), 'snapshots'))).toEqual([]);
    expect(await listed(repository)).toEqual([]);
    const bytes = randomBytes(MIB);
    await write(folder, key, bytes);
    expect((await read(folder)).equals(bytes)).toBe(true);
  });

  test('of a service that was killed counts nothing; the next attempt succeeds, and what was left goes', async () => {
    const child = spawn(process.execPath, [...RUN_SOURCE, KILLED, JSON.stringify({ root, key })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await ended;
    const repository = open();
    expect(await listed(repository)).toEqual([]);
    // restic takes the end of its input for the end of the data
    await waitFor(() => readdirSync(join(place(), 'snapshots')).length === 1, {
      ...{ what: 'what restic makes of the end', deadlineMs: 60_000 },
    });
    const bytes = randomBytes(2 * MIB);
    const { restic } = await write(repository.folder(key), key, bytes);
    expect(await repository.sweep(() => Promise.resolve(false))).toEqual([]);
    expect((await repository.sweep(yes)).join()).toContain(place());
    expect(readdirSync(join(place(), 'snapshots'))).toEqual([restic?.snapshot]);
    expect((await read(repository.folder(key))).equals(bytes)).toBe(true);
    // a manifest that cannot be read may name one
    flip(join(root, 'test/app', key.upgrade, key.backup, 'manifest.json'));
    expect(await open().sweep(yes)).toEqual([]);
    expect(readdirSync(join(place(), 'snapshots'))).toEqual([restic?.snapshot]);
  });

  test('waits for whoever holds the repository alone, and takes away a lock that a dead one left', async () => {
    const folder = open().folder(key);
    await write(folder, key, randomBytes(MIB));
    const bytes = await read(folder);
    const env = { ...process.env, RESTIC_PASSWORD: 'of-the-tests', RESTIC_REPOSITORY: place() };
    // check reads all of it under a lock of its own, here for minutes; killed in the middle it leaves that
    const slowly = ['--no-cache', '--limit-download', '8', 'check', '--read-data'];
    const checking = spawn('restic', slowly, { env });
    const ended = once(checking, 'exit');
    const locks = (): string[] => readdirSync(join(place(), 'locks'));
    await waitFor(() => locks().some((name) => /^[0-9a-f]{64}$/.test(name)), {
      ...{ what: 'its lock', deadlineMs: 60_000, everyMs: 5 },
    });
    checking.kill('SIGKILL');
    await ended;
    expect(locks().length).toBe(1);
    expect((await read(folder)).equals(bytes)).toBe(true);
    expect(locks()).toEqual([]);
  });

  test('is taken out by hand as the documentation says', async () => {
    const folder = open().folder(key);
    const bytes = randomBytes(MIB);
    await write(folder, key, bytes);
    const { archive } = JSON.parse(
      readFileSync(join(folder.path, 'manifest.json'), 'utf8'),
    ) as Manifest;
    const { repository = '', snapshot = '' } = archive.restic ?? {};
    const words = ['--no-cache', '--repo', repository, 'dump', snapshot, `/${archive.file}`];
    const env = { ...process.env, RESTIC_PASSWORD: 'of-the-tests' };
    const said = execFileSync('restic', words, { cwd: folder.path, env, maxBuffer: 2 * MIB });
    expect(said.equals(bytes)).toBe(true);
  });
});
