import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '#kernel';
import { Copier, Registries, RegistrySource, type BlobOutcome } from '#oci';
import { openDataSource } from '#persistence';
import { RUN_SOURCE } from '../../../test/support/run-source.js';
import { freshDatabase, type FreshDatabase } from '../../../test/support/database.js';
import { PlainRepository, type ServiceImage } from '../../../test/support/registry-image.js';
import { startRegistryServer, type RegistryServer } from '../../../test/support/registry.js';
import { BlobClaimStore } from '../src/persistence/blob-claim.store.js';
import { BlobClaims1700000004100 } from '../src/persistence/blob-claims.migration.js';
import { SharedBlobClaims } from '../src/registries/shared-blob-claims.js';
import { copyOnce, type Copying } from './copying-child.js';

const MIB = 1024 * 1024;
type Blobs = Readonly<Record<BlobOutcome, number>>;

let from: RegistryServer;
let to: RegistryServer;
let database: FreshDatabase;
let source: DataSource;
let first: ChildProcess;
let second: ChildProcess;
beforeAll(async () => {
  [from, to, database, first, second] = await Promise.all([
    startRegistryServer(),
    startRegistryServer({ accessLog: true }),
    freshDatabase(),
    replica(),
    replica(),
  ]);
  source = await openDataSource({
    app: 'mirror',
    url: database.url('mirror'),
    entities: [],
    migrations: [BlobClaims1700000004100],
  });
});
afterAll(async () => {
  for (const child of [first, second]) child.kill('SIGKILL');
  if (source.isInitialized) await source.destroy();
  await Promise.all([from.stop(), to.stop(), database.drop()]);
});

let repository: string;
let digest: string;
const image = (): ServiceImage => ({
  layers: [randomBytes(4 * MIB), randomBytes(4 * MIB)],
  config: randomBytes(20),
});
beforeEach(async () => {
  repository = `shop/${randomBytes(4).toString('hex')}`;
  digest = await new PlainRepository(from.host, repository).push('1.0', image());
});

/** A process that copies when it is told to. */
async function replica(): Promise<ChildProcess> {
  const child = fork(fileURLToPath(import.meta.resolve('./copying-child.ts')), {
    execArgv: [...RUN_SOURCE],
  });
  await once(child, 'message');
  return child;
}

function job(more: Partial<Copying>): Copying {
  return {
    database: database.url('mirror'),
    leaseMs: 60_000,
    from: { registry: from.host, repository },
    to: { registry: to.host, repository },
    bytesPerSecond: 3 * MIB,
    ...more,
  };
}

/** @returns how its blobs came to the target */
async function copy(child: ChildProcess, more: Partial<Copying>): Promise<Blobs> {
  child.send(job(more));
  const [said] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as unknown[];
  if (typeof said !== 'object' || said === null) throw new Error(`it ended: ${String(said)}`);
  return said as Blobs;
}

/** Uploads that were completed, in whichever repository below this name. */
const uploaded = (): string[] =>
  to
    .accesses()
    .filter((line) => line.includes(`"PUT /v2/${repository}`))
    .filter((line) => /\/blobs\/\S+ HTTP\/1.1" 201 /.test(line));

const uploading = (): boolean => to.uploads(repository) > 0;

describe('several replicas of the mirror', () => {
  it('a blob that all of them want at the same time is uploaded once, and mounted where it is wanted besides', async () => {
    const elsewhere = { registry: to.host, repository: `${repository}/too` };
    const results = await Promise.all([
      copy(first, {}),
      copy(second, {}),
      copyOnce(job({ to: elsewhere })),
    ]);
    expect(uploaded()).toHaveLength(3);
    const sum = (outcome: BlobOutcome): number =>
      results.reduce((all, blobs) => all + blobs[outcome], 0);
    expect([sum('uploaded'), sum('mounted') + sum('there')]).toEqual([3, 6]);
    for (const name of [repository, elsewhere.repository])
      expect(await new PlainRepository(to.host, name).digest('1.0')).toBe(digest);
  });

  it('kill -9 of the one that is at it: another one waits for its lease to end, and completes it', async () => {
    const lost = copy(first, { leaseMs: 3_000, bytesPerSecond: MIB / 16 });
    await waitFor(uploading, { what: 'an upload', deadlineMs: 60_000, everyMs: 20 });
    const rest = copy(second, { bytesPerSecond: 100 * MIB });
    await waitFor(isWaitedFor, { what: 'the second to have asked', deadlineMs: 60_000 });
    first.kill('SIGKILL');
    await expect(lost).rejects.toThrow('it ended');
    await rest;
    expect(uploaded()).toHaveLength(3);
    expect(await new PlainRepository(to.host, repository).digest('1.0')).toBe(digest);
  });

  it('without PostgreSQL it goes on, unclaimed', async () => {
    const gone = await openDataSource({
      app: 'mirror',
      url: database.url('mirror'),
      entities: [],
      migrations: [BlobClaims1700000004100],
    });
    await gone.destroy();
    const claims = new SharedBlobClaims(
      { single: (work) => work(gone.manager) },
      new BlobClaimStore(),
      3_000,
    );
    const settings = { [to.host]: { insecure: true }, [from.host]: { insecure: true } };
    const registries = new Registries({ settings });
    const { blobs } = await new Copier(claims).copy({
      source: new RegistrySource(registries.repository({ registry: from.host, repository })),
      reference: '1.0',
      target: registries.repository({ registry: to.host, repository }, 'push'),
      tags: ['1.0'],
    });
    registries.close();
    expect(blobs.uploaded).toBe(3);
  });
});

/** Both have looked for the blobs: the second one's look is the one that no upload follows. */
function isWaitedFor(): boolean {
  const looks = to.accesses().filter((line) => line.includes(`"HEAD /v2/${repository}/blobs/`));
  return looks.length >= 6;
}
