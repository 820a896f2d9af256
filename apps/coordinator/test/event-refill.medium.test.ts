import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withClient } from '#fleet';
import { waitFor } from '#kernel';
import { EVENT_STREAM } from '#contracts';
import type { Bus } from '#bus';
import { patientQueries, SceneServers, takeMessages } from '../../../test/support/service-scene.js';
import { CoordinatorModule } from '../src/coordinator.module.js';
import { Resender } from '../src/resender.js';

let servers: SceneServers;
let gateway: Bus;
let admin: NatsConnection;
let coordinators: INestApplication[] = [];

beforeEach(async () => {
  servers = await SceneServers.open();
  await start();
  gateway = await servers.bus('gateway');
  admin = await connect({ servers: servers.nats.url, ...servers.nats.admin });
});
afterEach(async () => {
  await admin.close();
  await gateway.onApplicationShutdown();
  await stop();
  await servers.close();
});

async function start(replicas = 1): Promise<void> {
  for (let n = 0; n < replicas; n += 1) {
    const module = CoordinatorModule.forEnv({
      ...servers.env('coordinator'),
      LIFTLOCK_SWEEP_MS: 600_000,
    });
    const options = { logger: false, abortOnError: false } as const;
    coordinators.push(await takeMessages(await NestFactory.create(module, options)));
  }
}

async function stop(): Promise<void> {
  await Promise.all(coordinators.map((app) => app.close()));
  coordinators = [];
}

/** In the coordinator's own schema. */
const sql = <T extends object>(text: string): Promise<T[]> =>
  withClient(
    servers.database.url('coordinator'),
    async (client) => (await client.query<T>(text)).rows,
  );

/** Upgrades of which the stream has this event: nobody else sends any here. */
async function upgradesTold(): Promise<string[]> {
  const info = await (
    await jetstreamManager(admin)
  ).streams.info(EVENT_STREAM, { subjects_filter: 'liftlock.event.*.*.*.upgrade-created' });
  return Object.keys(info.state.subjects ?? {}).map((subject) => subject.split('.')[4] ?? '');
}

const until = (what: string, look: () => Promise<boolean>) =>
  waitFor(look, { what, deadlineMs: 60_000 });

const told = (id: string) =>
  until(`${id} in the event stream`, async () => (await upgradesTold()).includes(id));

const refilledFor = async (): Promise<string | undefined> =>
  (
    await sql<{ created: string }>(
      `SELECT created FROM refilled_streams WHERE stream = '${EVENT_STREAM}'`,
    )
  )[0]?.created;

const madeAt = async (): Promise<string> =>
  (await (await jetstreamManager(admin)).streams.info(EVENT_STREAM)).created;

/** One whose first event the broker has, and the coordinator knows that, and that the stream is the one it refilled. */
async function upgrade(): Promise<string> {
  await until(
    'the first stream to be known',
    async () => (await refilledFor()) === (await madeAt()),
  );
  const { upgrade: made } = await waitFor(
    () =>
      patientQueries(gateway).ask('create-upgrade', {
        actor: 'ann',
        request: { environment: 'prod', application: 'shop', release: 'shop-2' },
      }),
    { what: 'the coordinator to answer', deadlineMs: 60_000 },
  );
  await told(made.id);
  await until(`all of ${made.id} to be marked as sent`, async () => {
    const rows = await sql(
      `SELECT 1 FROM outbox WHERE sent_at IS NULL AND starts_with(subject, 'liftlock.event.')`,
    );
    return rows.length === 0;
  });
  return made.id;
}

describe('the event stream of a broker that was wiped', () => {
  it('is refilled while the coordinators run', async () => {
    const id = await upgrade();
    await start();
    await servers.nats.server.wipe();
    await told(id);
    expect(await upgradesTold()).toEqual([id]);
  });

  it('is refilled by the next coordinator, where the one that made it died before it was', async () => {
    const id = await upgrade();
    await stop();
    await servers.nats.server.wipe();
    const died = await servers.bus('coordinator');
    await died.onApplicationShutdown();
    await until('the stream to be there', async () => (await upgradesTold()).length === 0);
    await start(2);
    await told(id);
    expect(await upgradesTold()).toEqual([id]);
  });

  it('is refilled when the database is there again, where it was not at first', async () => {
    const id = await upgrade();
    // counts the tries: a sequence keeps what a transaction that is rolled back took of it
    await sql(`CREATE SEQUENCE tries`);
    await sql(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM nextval('tries'); RAISE EXCEPTION USING ERRCODE = '57P03'; END $$`);
    await sql(`CREATE TRIGGER refuse BEFORE UPDATE ON outbox FOR EACH ROW
      WHEN (OLD.sent_at IS NOT NULL AND NEW.sent_at IS NULL) EXECUTE FUNCTION refuse()`);
    await servers.nats.server.wipe();
    await until('a refill that fails', async () => {
      const [tries] = await sql<{ is_called: boolean }>(`SELECT is_called FROM tries`);
      return tries?.is_called === true;
    });
    await sql(`DROP TRIGGER refuse ON outbox`);
    await told(id);
    expect(await upgradesTold()).toEqual([id]);
  });

  it('is refilled once', async () => {
    await upgrade();
    const created = await madeAt();
    await sql(`UPDATE outbox SET sent_at = '2026-11-21'`);
    const untouched = async (): Promise<number> =>
      (await sql(`SELECT 1 FROM outbox WHERE sent_at = '2026-11-21'`)).length;
    const before = await untouched();
    expect(before).toBeGreaterThan(0);
    const resender = coordinators[0]?.get(Resender);
    await Promise.all([resender?.refillEvents(created), resender?.refillEvents(created)]);
    expect(await untouched()).toBe(before);
    await resender?.refillEvents('2026-11-21T00:00:00Z');
    expect(await untouched()).toBeLessThan(before);
  });
});
