import type pg from 'pg';
import type { QueryRunner } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { waitFor } from '#kernel';
import { provisionDatabase } from '#fleet';
import { freshPostgres, type FreshServer } from '../../../test/support/index.js';
import { openDataSource } from '../src/open-data-source.js';
import { Broker, message, startService, untilMarked, type Service } from './service-under-test.js';

let postgres: FreshServer;
let url: string;
let broker: Broker;
let service: Service;

beforeAll(async () => {
  postgres = await freshPostgres();
  ({ mirror: url } = await provisionDatabase(postgres.url, { mirror: 'secret' }));
});
beforeEach(async () => {
  broker = new Broker();
  service = await startService(url, broker);
});
afterEach(async () => {
  if (!postgres.server.isRunning()) await postgres.server.restart();
  await service.close();
});
afterAll(() => postgres.stop());

it.each(['stop', 'kill'] as const)(
  'PostgreSQL is gone and comes back (%s): what was committed is sent, and the relay goes on',
  async (end) => {
    let refusing = true;
    broker.refuse = () => {
      if (refusing) throw new Error('no broker');
    };
    await service.send(message(`${end}-kept`, 'key'), message(`${end}-free`));
    await postgres.server[end]();
    await expect(service.send(message(`${end}-lost`))).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
    refusing = false;
    await postgres.server.restart();
    await broker.untilArrived(`${end}-kept`);
    await broker.untilArrived(`${end}-free`);
    await untilMarked(service);
    await service.send(message(`${end}-after`, 'key'));
    await broker.untilArrived(`${end}-after`);
    expect(broker.ids(`${end}-lost`)).toEqual([]);
  },
);

it('a transaction whose connection broke between two queries is unavailable, not wrong', async () => {
  const cut = service.work.run(async (tx) => {
    await tx.query(`SELECT 1`);
    await postgres.server.kill();
    await waitFor(() => tx.queryRunner?.isReleased, {
      what: 'the connection to be given up',
      deadlineMs: 60_000,
      everyMs: 5,
    });
    await tx.query(`SELECT 1`);
  });
  await expect(cut).rejects.toMatchObject({ code: 'unavailable' });
  await postgres.server.restart();
});

it('a session that an administrator ends is unavailable, and the next one works', async () => {
  const cut = service.work.run((tx) => tx.query(`SELECT pg_terminate_backend(pg_backend_pid())`));
  await expect(cut).rejects.toMatchObject({ code: 'unavailable' });
  await service.send(message('next'));
  await broker.untilArrived('next');
});

it('a pool with no connection left is unavailable', async () => {
  const held: QueryRunner[] = [];
  while (held.length < 10) {
    await waitFor(
      async () => {
        const runner = service.source.createQueryRunner();
        await runner.connect();
        return held.push(runner);
      },
      { what: `connection ${held.length}`, deadlineMs: 60_000 },
    );
  }
  await expect(service.work.run((tx) => tx.query(`SELECT 1`))).rejects.toMatchObject({
    code: 'unavailable',
  });
  for (const runner of held) await runner.release();
});

it('a connection that breaks in the moment between the pool and its borrower does not end the process', async () => {
  const source = await openDataSource({ app: 'mirror', url, entities: [], migrations: [] });
  try {
    const { master } = source.driver as unknown as { readonly master: pg.Pool };
    const lent = await master.connect();
    const { rows } = await lent.query<{ pid: number }>(`SELECT pg_backend_pid() AS pid`);
    const ended = new Promise<void>((resolve) => lent.once('end', () => resolve()));
    await source.query(`SELECT pg_terminate_backend($1)`, [rows[0]?.pid]);
    await ended;
    lent.release(true);
    expect(await source.query(`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
  } finally {
    await source.destroy();
  }
});
