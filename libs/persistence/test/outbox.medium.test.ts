import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshDatabase, type FreshDatabase } from '../../../test/support/index.js';
import { OutboxRows } from '../src/outbox-rows.js';
import {
  age,
  Broker,
  message,
  startService,
  unsent,
  untilMarked,
  type Service,
} from './service-under-test.js';

let database: FreshDatabase;
let broker: Broker;
const services: Service[] = [];

beforeEach(async () => {
  database = await freshDatabase();
  broker = new Broker();
});
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.close()));
  await database.drop();
});

async function start(relaying = true): Promise<Service> {
  const service = await startService(database.url('mirror'), broker, relaying);
  services.push(service);
  return service;
}

/** A row as it is when its message was sent and marked, by whomever. */
async function sentBefore({ source }: Service, id: string): Promise<void> {
  await source.query(
    `INSERT INTO outbox (message_id, subject, payload, sent_at) VALUES ($1, 'a.b', '{}', now())`,
    [id],
  );
}

describe('a transaction', () => {
  it('that is rolled back sends nothing, with or without an order key', async () => {
    const service = await start();
    const failing = service.work.run(async (tx) => {
      await service.outbox.add(tx, message('ghost-1'));
      await service.outbox.add(tx, message('ghost-2', 'key'));
      throw new Error('thought better of it');
    });
    await expect(failing).rejects.toThrow('thought better of it');
    await service.send(message('real-1'), message('real-2', 'key'));
    await broker.untilArrived('real-1');
    await broker.untilArrived('real-2');
    await untilMarked(service);
    expect(broker.ids().toSorted()).toEqual(['real-1', 'real-2']);
  });

  it('that is not committed yet has sent nothing', async () => {
    const service = await start();
    await service.work.run(async (tx) => {
      await service.outbox.add(tx, message('early-1'));
      await service.outbox.add(tx, message('early-2', 'key'));
      await service.send(message('other', 'key'));
      await broker.untilArrived('other');
      expect(broker.ids()).toEqual(['other']);
    });
    await broker.untilArrived('early-1');
    await broker.untilArrived('early-2');
  });

  it('that is run again sends the messages of the run that was committed, once', async () => {
    const service = await start();
    let tries = 0;
    await service.work.run(async (tx) => {
      tries += 1;
      await service.outbox.add(tx, message(`try-${tries}`));
      await service.outbox.add(tx, message('result'));
      if (tries < 3) await tx.query(`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$`);
    });
    await broker.untilArrived('result');
    await untilMarked(service);
    expect(broker.ids().toSorted()).toEqual(['result', 'try-3']);
  });

  it('that adds an id that is there already does not send it again', async () => {
    const service = await start();
    await sentBefore(service, 'same');
    await service.send(message('same'), message('after'));
    await broker.untilArrived('after');
    // what is on its way arrives before it is closed
    await service.close();
    expect(broker.ids()).toEqual(['after']);
  });
});

describe('a statement on its own', () => {
  const change = (id: string): { sql: string; parameters: string[] } => ({
    sql: `UPDATE dead_letters SET deliveries = 0 WHERE message_id = $1`,
    parameters: [id],
  });

  it('that changed nothing has sent nothing, and says so', async () => {
    const service = await start();
    const changed = await service.work.single((db) =>
      service.outbox.addIfChanged(db, change('nobody'), [message('ghost')]),
    );
    expect(changed).toBe(false);
    await service.close();
    expect(broker.ids()).toEqual([]);
  });

  it('that adds an id that is there already does not send it again', async () => {
    const service = await start();
    await sentBefore(service, 'same');
    await service.work.single((db) =>
      service.outbox.addAlone(db, message('same'), message('after')),
    );
    await broker.untilArrived('after');
    await service.close();
    expect(broker.ids()).toEqual(['after']);
  });

  it('is refused inside a transaction, which may yet be rolled back', async () => {
    const service = await start();
    const inside = [
      service.work.run((tx) => service.outbox.addAlone(tx, message('early'))),
      service.work.run((tx) =>
        service.outbox.addIfChanged(tx, change('nobody'), [message('early')]),
      ),
    ];
    for (const refused of inside) await expect(refused).rejects.toThrow('there is a transaction');
    await service.close();
    expect(broker.ids()).toEqual([]);
  });
});

describe('a process that dies between commit and publish', () => {
  it('leaves what another one sends', async () => {
    const dying = await start(false);
    await dying.send(message('free'), message('first', 'key'), message('second', 'key'));
    await dying.close();
    const next = await start();
    await age(next);
    await broker.untilArrived('free');
    await untilMarked(next);
    expect(broker.ids().toSorted()).toEqual(['first', 'free', 'second']);
  });

  it('or whose broker is away for its whole life: the next one sends it', async () => {
    broker.refuse = () => {
      throw new Error('no broker');
    };
    const dying = await start();
    await dying.send(message('free'), message('kept', 'key'));
    await expect.poll(() => broker.tries).toBeGreaterThan(1);
    await dying.close();
    expect(broker.ids()).toEqual([]);
    broker.refuse = () => undefined;
    const next = await start();
    await age(next);
    await broker.untilArrived('free');
    await broker.untilArrived('kept');
    await untilMarked(next);
    expect(broker.ids()).toHaveLength(2);
  });

  it('and whose mark was lost: it is sent again, under the same id', async () => {
    broker.knowsIds = false;
    const service = await start();
    await service.send(message('free'), message('kept', 'key'));
    await untilMarked(service);
    await service.source.query(
      `UPDATE outbox SET sent_at = NULL, created_at = created_at - interval '1 hour'`,
    );
    await broker.untilArrived('free', 2);
    await broker.untilArrived('kept', 2);
    await untilMarked(service);
    expect(broker.ids('kept')).toHaveLength(2);
    // on a slow machine the one without an order key may be sent more often
    expect(new Set(broker.ids())).toEqual(new Set(['free', 'kept']));
  });

  it('is stopped rather than killed: what was committed before leaves with it', async () => {
    const stopped = async (
      n: number,
    ): Promise<{ readonly left: boolean; readonly tookMs: number }> => {
      const ids = [`last-1-of-${n}`, `last-2-of-${n}`];
      const service = await start();
      await service.send(message(ids[0] ?? '', 'key'), message(ids[1] ?? ''));
      const began = performance.now();
      await service.close();
      return {
        left: ids.every((id) => broker.ids().includes(id)),
        tookMs: performance.now() - began,
      };
    };
    // it is not waited for longer than 2 s, in which a machine may stand still
    let end = await stopped(0);
    for (let n = 1; end.tookMs > 1_500 && n < 5; n += 1) end = await stopped(n);
    expect(end.left).toBe(true);
  });
});

describe('a message without an order key', () => {
  it('leaves from memory when it is committed, though another relay has the table', async () => {
    const service = await start();
    await service.source.transaction(async (tx) => {
      await tx.query(
        `SELECT pg_advisory_xact_lock(hashtextextended('relay ' || current_schema(), 0))`,
      );
      await service.send(message('kept', 'key'), message('free'));
      await broker.untilArrived('free');
      await expect.poll(() => unsent(service)).toEqual(['kept']);
      expect(broker.ids()).toEqual(['free']);
    });
    await broker.untilArrived('kept');
  });

  it('that could not leave then is taken up by the relay, under the same id and once', async () => {
    let refusals = 0;
    broker.refuse = () => {
      if (refusals++ === 0) throw new Error('not now');
    };
    const service = await start();
    await service.send(message('free'));
    await expect.poll(() => refusals).toBeGreaterThanOrEqual(1);
    await age(service);
    await broker.untilArrived('free');
    await untilMarked(service);
    expect(broker.ids()).toEqual(['free']);
  });
});

describe('the order within a key', () => {
  const KEYS = ['a', 'b', 'c', 'd'];
  const EACH = 120;

  it('holds with two relays at once and refusals in between, and nothing is sent twice', async () => {
    broker.knowsIds = false;
    let asked = 0;
    broker.refuse = () => {
      if ((asked += 1) % 7 === 0) throw new Error('not now');
    };
    const two = [await start(), await start()];
    await Promise.all(
      KEYS.map(async (key) => {
        for (let n = 0; n < EACH; n += 1)
          await two[n % 2]?.send(message(`${key}.${String(n).padStart(3, '0')}`, key));
      }),
    );
    for (const key of KEYS) await broker.untilArrived(`${key}.${EACH - 1}`);
    for (const key of KEYS) {
      const ids = broker.ids(`${key}.`);
      expect(ids).toHaveLength(EACH);
      expect(ids).toEqual(ids.toSorted());
    }
  });

  it('holds where a message is refused for long: those behind it wait, other keys do not', async () => {
    let refusing = true;
    broker.refuse = ({ id }) => {
      if (refusing && id === 'a.0') throw new Error('not yet');
    };
    const service = await start();
    await service.send(message('a.0', 'a'), message('a.1', 'a'), message('b.0', 'b'));
    await broker.untilArrived('b.0');
    await service.send(message('a.2', 'a'), message('b.1', 'b'));
    await broker.untilArrived('b.1');
    expect(broker.ids()).toEqual(['b.0', 'b.1']);
    refusing = false;
    await broker.untilArrived('a.2');
    expect(broker.ids('a.')).toEqual(['a.0', 'a.1', 'a.2']);
  });

  it('does not let a key whose messages nobody takes hold up the others, however many they are', async () => {
    broker.refuse = ({ id }) => {
      if (id.startsWith('poison')) throw new Error('too large');
    };
    const service = await start();
    await service.work.run(async (tx) => {
      for (let n = 0; n < 450; n += 1)
        await service.outbox.add(tx, message(`poison.${n}`, n < 225 ? 'bad' : `bad-${n}`));
    });
    await service.send(message('good', 'other'));
    await broker.untilArrived('good');
    expect(broker.ids()).toEqual(['good']);
  });
});

describe('a broker that came back empty', () => {
  it('is sent again what was sent to the subjects named, under the old ids and in the old order', async () => {
    const service = await start();
    await service.send(
      message('e.1', 'key', 'events.x'),
      message('e.2', 'key', 'events.y'),
      message('c.1', 'key', 'commands.x'),
      message('free', undefined, 'events.z'),
    );
    await untilMarked(service);
    const before = broker.arrived.splice(0);
    expect(before).toHaveLength(4);
    await age(service);
    await service.work.run((tx) => service.outbox.resend(tx, { subjectPrefix: 'events.' }));
    await broker.untilArrived('free');
    await broker.untilArrived('e.2');
    await untilMarked(service);
    expect(broker.ids('e.')).toEqual(['e.1', 'e.2']);
    expect(broker.ids('c.')).toEqual([]);
    const [again] = broker.arrived.filter(({ id }) => id === 'e.1');
    expect(again).toEqual(before.find(({ id }) => id === 'e.1'));
  });

  it('has what was sent for a day, and what was not for ever', async () => {
    const service = await start(false);
    await service.send(message('old'), message('young'), message('waiting'));
    await service.source.query(
      `UPDATE outbox SET sent_at = now() - CASE message_id WHEN 'old' THEN interval '25 hours' ELSE interval '23 hours' END
       WHERE message_id <> 'waiting'`,
    );
    await service.source.query(
      `INSERT INTO inbox (message_id, consumer, accepted_at)
       VALUES ('old', 'c', now() - interval '8 days'), ('young', 'c', now() - interval '6 days')`,
    );
    await service.source.query(`UPDATE outbox SET created_at = now() - interval '100 days'`);
    await new OutboxRows(service.source).prune();
    const kept = async (table: string) =>
      (
        await service.source.query<Array<{ message_id: string }>>(
          `SELECT message_id FROM ${table} ORDER BY 1`,
        )
      ).map((row) => row.message_id);
    expect(await kept('outbox')).toEqual(['waiting', 'young']);
    expect(await kept('inbox')).toEqual(['young']);
  });
});
