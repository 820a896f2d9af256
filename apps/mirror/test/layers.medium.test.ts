import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SecretStore } from '#drivers/core';
import { openDataSource, type UnitOfWork } from '#persistence';
import { freshDatabase, type FreshDatabase } from '../../../test/support/database.js';
import { digestOf, PlainRepository } from '../../../test/support/registry-image.js';
import { startRegistryServer, type RegistryServer } from '../../../test/support/registry.js';
import { LayersService } from '../src/layers.service.js';
import { MirroredImageStore } from '../src/persistence/mirrored-image.store.js';
import { MirroredImages1700000004000 } from '../src/persistence/mirrored-images.migration.js';
import { RegistryPool } from '../src/registries/registry-pool.js';

const PLATFORM = { os: 'linux', architecture: 'amd64' };
let registry: RegistryServer;
let database: FreshDatabase;
beforeAll(async () => {
  [registry, database] = await Promise.all([startRegistryServer(), freshDatabase()]);
});
afterAll(() => Promise.all([registry.stop(), database.drop()]));

it('what an engine would pull is told as it was mirrored; what cannot be told stops nothing', async () => {
  const layers = [randomBytes(3_000), randomBytes(200)];
  const diffIds = layers.map(digestOf);
  const config = Buffer.from(JSON.stringify({ rootfs: { type: 'layers', diff_ids: diffIds } }));
  const repository = new PlainRepository(registry.host, 'shop/app');
  const digest = await repository.push('1.0', { layers, config });
  const target = `${registry.host}/shop/app`;
  const source = await openDataSource({
    app: 'mirror',
    url: database.url('mirror'),
    entities: [],
    migrations: [MirroredImages1700000004000],
  });
  const pool = new RegistryPool(new SecretStore(), {});
  try {
    const work: Pick<UnitOfWork, 'single'> = { single: (ask) => ask(source.manager) };
    const store = new MirroredImageStore();
    const service = new LayersService(pool, work, store);
    const said: string[] = [];
    const context = {
      signal: new AbortController().signal,
      log: (text: string) => void said.push(text),
    };
    const input = { image: { reference: 'app:1.0', digest: `${target}@${digest}` } };

    // plain HTTP, which nobody allowed
    expect(await service.of(context, input, PLATFORM)).toBeUndefined();
    expect(said.join()).toContain(`how large ${target}@${digest} is, is not known`);

    await store.save(source.manager, {
      ...{ target, digest, source: 'app:1.0', tag: '1.0', environment: 'prod', bytes: 3_200 },
      ...{ application: 'app', upgrade: 'one', access: { insecure: true } },
    });
    const found = [
      { bytes: 3_000, isCompressed: false, diffId: diffIds[0] },
      { bytes: 200, isCompressed: false, diffId: diffIds[1] },
    ];
    expect(await service.of(context, input, PLATFORM)).toEqual(found);
  } finally {
    pool.close();
    await source.destroy();
  }
});
