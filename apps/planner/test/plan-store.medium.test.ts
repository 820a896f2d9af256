import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataSource } from 'typeorm';
import { digestOf } from '#kernel';
import { PLAN_PAGE } from '#contracts';
import { openDataSource } from '#persistence';
import { freshDatabase, type FreshDatabase } from '../../../test/support/index.js';
import { PageCutter } from '../src/domain/plan-pages.js';
import { MIGRATIONS } from '../src/persistence/migrations.js';
import { PlanStore } from '../src/persistence/plan.store.js';

const now = new Date('2026-01-01T00:00:00Z');
const plans = new PlanStore();
/** Of an earlier planner, whose plans were one text each. */
const old = { digest: digestOf('old'), body: `${'x'.repeat(PLAN_PAGE - 1)}😀${'y'.repeat(10)}` };
let database: FreshDatabase;
let source: DataSource;

const open = (count: number): Promise<DataSource> =>
  openDataSource({
    ...{ app: 'planner', url: database.url('planner'), entities: [] },
    migrations: MIGRATIONS.slice(0, count),
  });

beforeAll(async () => {
  database = await freshDatabase();
  const before = await open(2);
  await before.query(`INSERT INTO plans (digest, body, created_at) VALUES ($1, $2, $3)`, [
    ...[old.digest, old.body, now],
  ]);
  await before.destroy();
  source = await open(MIGRATIONS.length);
});
afterAll(async () => {
  await source.destroy();
  await database.drop();
});

async function read(digest: string): Promise<string[]> {
  const texts: string[] = [];
  for (let offset: number | undefined = 0; offset !== undefined;) {
    const page: Awaited<ReturnType<PlanStore['page']>> = await plans.page(
      ...[source.manager, digest, offset],
    );
    texts.push(page.text);
    offset = page.nextOffset;
  }
  return texts;
}

describe('plans that are stored', () => {
  it('are read page by page, from wherever one begins, and stored once', async () => {
    const cutter = new PageCutter(10);
    cutter.add('{"a":"0123😀😀789","b":"ü"}');
    const { characters } = cutter;
    const plan = { digest: digestOf('new'), characters, pages: cutter.end() };
    expect(await plans.save(source.manager, plan, now)).toBe(plan.digest);
    expect(await plans.save(source.manager, plan, now)).toBe(plan.digest);
    expect(await read(plan.digest)).toEqual(plan.pages.map(({ text }) => text));
    const all = plan.pages.map(({ text }) => text).join('');
    expect(plan.pages).toHaveLength(3);
    for (let offset = 0; offset < characters; offset += 1) {
      const { text, total, nextOffset } = await plans.page(source.manager, plan.digest, offset);
      expect(all.startsWith(text, offset)).toBe(true);
      expect(total).toBe(characters);
      expect(nextOffset).toBe(offset + text.length < total ? offset + text.length : undefined);
    }
    expect(await plans.page(source.manager, plan.digest, 5_000_000_000)).toEqual({
      text: '',
      total: characters,
    });
    await expect(plans.page(source.manager, digestOf('none'), 0)).rejects.toThrow(
      'there is no plan',
    );
  });

  it('of an earlier planner are cut into pages by the migration, and are the same', async () => {
    const pages = await read(old.digest);
    expect(pages.join('')).toBe(old.body);
    expect(pages.map(({ length }) => length)).toEqual([PLAN_PAGE + 1, 10]);
    expect(await plans.find(source.manager, digestOf('none'))).toBeUndefined();
  });
});
