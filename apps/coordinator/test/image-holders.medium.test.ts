import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataSource } from 'typeorm';
import type { UpgradeState } from '#contracts';
import { heldImagesOf } from '../src/domain/held-images.js';
import { ImageHolderStore } from '../src/persistence/image-holder.store.js';
import {
  openCoordinatorDatabase,
  type CoordinatorDatabase,
} from './support/coordinator-database.js';

const store = new ImageHolderStore();
const NOON = '2026-11-21T12:00:00.000Z';
let database: CoordinatorDatabase;
let source: DataSource;

beforeAll(async () => {
  database = await openCoordinatorDatabase();
  ({ source } = database);
});
afterAll(() => database.close());

interface Upgrade {
  readonly environment: string;
  /** Seconds after noon; undefined: it has not ended. */
  readonly endedAt?: number;
  readonly state?: UpgradeState;
  readonly prepare: readonly object[];
}

/** An upgrade of one instance, which it left verified. */
async function add(id: string, { environment, endedAt, prepare, ...more }: Upgrade): Promise<void> {
  const { state = endedAt === undefined ? 'running' : 'succeeded' } = more;
  const lanes = [{ id: 'h1/w1/web', instance: 'web@host' }];
  await source.query(`INSERT INTO plans (digest, plan) VALUES ($1, $2)`, [
    ...[`plan of ${id}`, JSON.stringify({ prepare, hops: [{ waves: [{ lanes }] }] })],
  ]);
  const ended =
    endedAt === undefined ? null : new Date(Date.parse(NOON) + endedAt * 1_000).toISOString();
  await source.query(
    `INSERT INTO upgrades (id, environment, application, release, state, saga, request, requested_by, plan_digest, created_at, updated_at, ended_at)
     VALUES ($1, $2, 'shop', 'shop-2', $3, $4, '{}', 'ann', $5, $6, $6, $7)`,
    [
      ...[id, environment, state],
      JSON.stringify({ lanes: { 'h1/w1/web': 'verified' }, steps: {} }),
      ...[`plan of ${id}`, NOON, ended],
    ],
  );
}

const sha = (letter: string): string => `sha256:${letter.repeat(64)}`;
const mirrored = (digest: string): object => ({ action: 'image.mirror', input: { digest } });
const prepared = (image: object): object => ({ action: 'image.prepare', input: { image } });
const reference = 'mirror.example/team/app:2.0';

async function held(...digests: string[]): Promise<string[]> {
  const upgrades = await store.about(source.manager, digests);
  return heldImagesOf(upgrades, new Set(digests)).map(
    ({ digest, upgrade, why }) => `${digest.slice(7, 8)} ${upgrade} ${why}`,
  );
}

describe('upgrades that hold images of a mirror', () => {
  it('one whose release names the image at the mirror itself, and so mirrors nothing, holds it, too', async () => {
    await add('a1', { environment: 'a-staging', endedAt: 1, prepare: [mirrored(sha('a'))] });
    await add('a2', {
      ...{ environment: 'a-prod', endedAt: 2 },
      prepare: [prepared({ reference, digest: `mirror.example/team/app@${sha('a')}` })],
    });
    await add('a3', { environment: 'a-staging', endedAt: 3, prepare: [mirrored(sha('b'))] });
    expect(await held(sha('a'))).toEqual(['a a2 runs']);
    await add('a4', { environment: 'a-prod', endedAt: 4, prepare: [mirrored(sha('b'))] });
    expect(await held(sha('a'))).toEqual([]);
  });

  it('one that found the image on an engine that keeps images by their digest holds it', async () => {
    await add('c1', {
      ...{ environment: 'c-prod', endedAt: 1 },
      prepare: [prepared({ reference, id: sha('c') })],
    });
    expect(await held(sha('c'), sha('d'))).toEqual(['c c1 runs']);
  });

  it('the last one is the one that ended last, whichever was asked for first; before it come those that have not ended', async () => {
    const environment = 'e-prod';
    // asked for first, approved last
    await add('e1', { environment, endedAt: 20, prepare: [mirrored(sha('e'))] });
    await add('e2', { environment, endedAt: 10, prepare: [mirrored(sha('f'))] });
    expect(await held(sha('e'), sha('f'))).toEqual(['e e1 runs']);
    await add('e0', { environment, prepare: [mirrored(sha('1'))] });
    expect(await held(sha('e'), sha('f'), sha('1'))).toEqual(['1 e0 not_ended', 'e e1 runs']);
  });

  it('one that changed nothing holds nothing', async () => {
    const prepare = [prepared({ reference, digest: `mirror.example/team/app@${sha('9')}` })];
    await add('g1', { environment: 'g-prod', state: 'failed', endedAt: 1, prepare });
    expect(await held(sha('9'))).toEqual([]);
  });
});
