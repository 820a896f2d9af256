import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { LiftlockError, waitFor } from '#kernel';
import { freshDatabase, type FreshDatabase } from '../../../test/support/index.js';
import { DeadLetterRepository, openDataSource, type MigrationClass } from '../src/index.js';
import { Broker, message, startService, type Service } from './service-under-test.js';

let database: FreshDatabase;
let broker: Broker;
const services: Service[] = [];
const sources: DataSource[] = [];

beforeEach(async () => {
  database = await freshDatabase();
  broker = new Broker();
});
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.close()));
  await Promise.all(sources.splice(0).map((source) => source.destroy()));
  await database.drop();
});

async function start(): Promise<Service> {
  const service = await startService(database.url('mirror'), broker);
  services.push(service);
  return service;
}

async function open(...migrations: readonly MigrationClass[]): Promise<DataSource> {
  const source = await openDataSource({
    app: 'mirror',
    url: database.url('mirror'),
    entities: [],
    migrations,
  });
  sources.push(source);
  return source;
}

/** Would fail where it is run twice, and takes long enough for two to meet. */
class Things1700000001000 implements MigrationInterface {
  readonly name = 'Things1700000001000';
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE things (id integer)`);
    await runner.query(`INSERT INTO things SELECT generate_series(1, 1000)`);
  }
  async down(): Promise<void> {}
}

class Broken1700000002000 implements MigrationInterface {
  readonly name = 'Broken1700000002000';
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE half (id integer)`);
    await runner.query(`SELECT 1 / 0`);
  }
  async down(): Promise<void> {}
}

const count = async (source: DataSource, table: string): Promise<number> => {
  const [row] = await source.query<Array<{ count: string }>>(`SELECT count(*) FROM ${table}`);
  return Number(row?.count);
};

describe('a statement', () => {
  /** Over one connection, which has known it for long. */
  async function often(source: DataSource, statement: string): Promise<Array<object>> {
    const connection = source.createQueryRunner();
    try {
      for (let times = 0; times < 10; times += 1) await connection.query(statement, [1]);
      await source.query(`ALTER TABLE things ADD COLUMN name text DEFAULT 'new'`);
      await connection.query(statement, [1]);
      return (await connection.query(
        `SELECT statement FROM pg_prepared_statements WHERE statement = $1`,
        [statement],
      )) as Array<object>;
    } finally {
      await connection.release();
    }
  }

  it('is prepared once by a connection, and goes on over a migration', async () => {
    const source = await open(Things1700000001000);
    expect(await often(source, `SELECT id FROM things WHERE id = $1`)).toHaveLength(1);
  });

  it('that asks for all columns goes on over a migration that adds one', async () => {
    const source = await open(Things1700000001000);
    expect(await often(source, `SELECT * FROM things WHERE id = $1`)).toHaveLength(0);
  });
});

describe('the schema', () => {
  it('is migrated once by services that boot at the same time', async () => {
    const opened = await Promise.all(Array.from({ length: 5 }, () => open(Things1700000001000)));
    const [source] = opened;
    if (source === undefined) throw new Error('none was opened');
    expect(await count(source, 'things')).toBe(1_000);
    const applied = await source.query<Array<{ name: string }>>(
      `SELECT name FROM migrations ORDER BY id`,
    );
    expect(applied.map(({ name }) => name)).toEqual([
      'SharedTables1700000000000',
      'Things1700000001000',
    ]);
  });

  it('that is newer than the binary is refused by name, and nothing is left open', async () => {
    await open(Things1700000001000);
    const error: unknown = await open().catch((thrown: unknown) => thrown);
    expect(LiftlockError.from(error)).toMatchObject({
      code: 'misconfigured',
      retryable: false,
      message: expect.stringContaining('Things1700000001000') as unknown,
    });
    expect(sources).toHaveLength(1);
    // the first one's pool alone, and without the lock
    const [source] = sources;
    await waitFor(
      async () => {
        const rows = await source?.query<Array<{ locks: string }>>(
          `SELECT count(*) AS locks FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        );
        return rows?.[0]?.locks === '0';
      },
      { what: 'the migration lock to be free', deadlineMs: 60_000 },
    );
    await open(Things1700000001000);
  });

  it('whose migration fails is as it was, and the next binary is not kept waiting', async () => {
    await expect(open(Broken1700000002000)).rejects.toThrow('division by zero');
    const source = await open(Things1700000001000);
    expect(await count(source, 'things')).toBe(1_000);
    const [half] = await source.query<Array<{ name: string | null }>>(
      `SELECT to_regclass('half')::text AS name`,
    );
    expect(half?.name).toBeNull();
  });

  it('is the service’s own: another one’s is out of reach', async () => {
    const source = await open();
    const other = await openDataSource({
      app: 'backup',
      url: database.url('backup'),
      entities: [],
      migrations: [],
    });
    sources.push(other);
    expect(await count(other, 'outbox')).toBe(0);
    await expect(source.query(`SELECT * FROM backup.outbox`)).rejects.toThrow('permission denied');
  });
});

describe('an inbox', () => {
  it('accepts a message once, with two at the same time', async () => {
    const [first, second] = [await start(), await start()];
    const accept = (service: Service, id: string) =>
      service.work.run((tx) => service.inbox.accept(tx, id, 'consumer'));
    for (let n = 0; n < 25; n += 1) {
      const answers = await Promise.all([
        accept(first, `m${n}`),
        accept(second, `m${n}`),
        accept(first, `m${n}`),
      ]);
      expect(answers.filter(Boolean)).toHaveLength(1);
    }
    expect(await accept(second, 'm0')).toBe(false);
  });

  it('waits for the one that is at it, and accepts when that one is rolled back', async () => {
    const service = await start();
    let second: Promise<boolean> = Promise.resolve(false);
    const failing = service.work.run(async (tx) => {
      expect(await service.inbox.accept(tx, 'm', 'consumer')).toBe(true);
      second = service.work.run((other) => service.inbox.accept(other, 'm', 'consumer'));
      await untilBlocked(service);
      throw new Error('failed after all');
    });
    await expect(failing).rejects.toThrow('failed after all');
    expect(await second).toBe(true);
  });

  it('counts for each consumer by itself', async () => {
    const service = await start();
    const answers = await service.work.run(async (tx) => [
      await service.inbox.accept(tx, 'm', 'one'),
      await service.inbox.accept(tx, 'm', 'other'),
      await service.inbox.accept(tx, 'm', 'one'),
    ]);
    expect(answers).toEqual([true, true, false]);
  });
});

describe('a transaction that lost a race', () => {
  it('against another one in a deadlock is run again, and both are done', async () => {
    const service = await start();
    await service.source.query(`CREATE TABLE counters (id text PRIMARY KEY, n integer)`);
    await service.source.query(`INSERT INTO counters VALUES ('a', 0), ('b', 0)`);
    const holding: string[] = [];
    const tries = { ab: 0, ba: 0 };
    const raise = (name: 'ab' | 'ba', first: string, then: string) =>
      service.work.run(async (tx) => {
        tries[name] += 1;
        await tx.query(`UPDATE counters SET n = n + 1 WHERE id = $1`, [first]);
        holding.push(first);
        await waitFor(() => holding.includes(then), {
          what: `the other to hold ${then}`,
          deadlineMs: 60_000,
          everyMs: 1,
        });
        await tx.query(`UPDATE counters SET n = n + 1 WHERE id = $1`, [then]);
      });
    await Promise.all([raise('ab', 'a', 'b'), raise('ba', 'b', 'a')]);
    // the one that is run again may meet the other once more
    expect(tries.ab + tries.ba).toBeGreaterThanOrEqual(3);
    expect(await service.source.query(`SELECT n FROM counters`)).toEqual([{ n: 2 }, { n: 2 }]);
  });

  it('against serializable ones is run again until it has won', async () => {
    const service = await start();
    await service.source.query(`CREATE TABLE counters (id text PRIMARY KEY, n integer)`);
    await service.source.query(`INSERT INTO counters VALUES ('a', 0)`);
    await Promise.all(
      Array.from({ length: 4 }, () =>
        service.work.run(async (tx) => {
          await tx.query(`SET TRANSACTION ISOLATION LEVEL SERIALIZABLE`);
          const [row] = await tx.query<Array<{ n: number }>>(`SELECT n FROM counters`);
          await tx.query(`UPDATE counters SET n = $1`, [(row?.n ?? 0) + 1]);
        }),
      ),
    );
    expect(await service.source.query(`SELECT n FROM counters`)).toEqual([{ n: 4 }]);
  });

  it('again and again is given up after a bounded number of tries, and sends nothing', async () => {
    const service = await start();
    let tries = 0;
    const losing = service.work.run(async (tx) => {
      tries += 1;
      await service.outbox.add(tx, message('never'));
      await tx.query(`DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$`);
    });
    await expect(losing).rejects.toThrow('lost');
    expect(tries).toBe(8);
    await service.send(message('after'));
    await broker.untilArrived('after');
    expect(broker.ids()).toEqual(['after']);
  });

  it('is told from one that is wrong, which is not run again', async () => {
    const service = await start();
    let tries = 0;
    const wrong = service.work.run(async (tx) => {
      tries += 1;
      await tx.query(`SELECT nonsense`);
    });
    await expect(wrong).rejects.toThrow('nonsense');
    expect(tries).toBe(1);
  });
});

it('a dead letter that comes twice is kept once', async () => {
  const service = await start();
  const letters = new DeadLetterRepository(service.work, service.outbox, 'mirror');
  const letter = {
    messageId: 'm',
    subject: 'a.b',
    payload: '{"not": "json',
    error: new LiftlockError('internal', 'nobody can handle it').toShape(),
    deliveries: 5,
  };
  await letters.record(letter);
  await letters.record({ ...letter, deliveries: 6 });
  const rows = await service.source.query<unknown[]>(
    `SELECT message_id, payload, error->>'code' AS code, deliveries FROM dead_letters`,
  );
  expect(rows).toEqual([
    { message_id: 'm', payload: letter.payload, code: 'internal', deliveries: 5 },
  ]);
});

async function untilBlocked({ source }: Service): Promise<void> {
  await waitFor(
    async () => {
      const [row] = await source.query<Array<{ waiting: boolean }>>(
        // of this database only: other tests use the same server
        `SELECT count(*) > 0 AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event <> 'advisory'`,
      );
      return row?.waiting === true;
    },
    { what: 'a transaction to wait for a row', deadlineMs: 60_000, everyMs: 5 },
  );
}
