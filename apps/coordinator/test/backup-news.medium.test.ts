import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemIds, waitFor } from '#kernel';
import {
  cloudEvent,
  commandSubject,
  EVENT_DATA,
  type CommandData,
  type LiftlockCloudEvent,
} from '#contracts';
import type { Bus, QueryClient } from '#bus';
import {
  patientQueries,
  publishSurely,
  SceneServers,
  takeMessages,
} from '../../../test/support/service-scene.js';
import { CoordinatorModule } from '../src/coordinator.module.js';

let servers: SceneServers;
let coordinator: INestApplication;
let gateway: Bus;
let backup: Bus;
let queries: QueryClient;
let fromBackup: QueryClient;
const events: Array<{ readonly subject: string; readonly event: LiftlockCloudEvent }> = [];

beforeAll(async () => {
  servers = await SceneServers.open();
  coordinator = await takeMessages(
    await NestFactory.create(
      CoordinatorModule.forEnv({ ...servers.env('coordinator'), LIFTLOCK_SWEEP_MS: 600_000 }),
      { logger: false, abortOnError: false },
    ),
  );
  gateway = await servers.bus('gateway');
  backup = await servers.bus('backup');
  queries = patientQueries(gateway);
  fromBackup = patientQueries(backup);
  gateway.nats.subscribe('liftlock.event.>', {
    callback: (_error, message) => {
      events.push({ subject: message.subject, event: cloudEvent.parse(message.json()) });
    },
  });
});
afterAll(async () => {
  await gateway.onApplicationShutdown();
  await backup.onApplicationShutdown();
  await coordinator.close();
  await servers.close();
});

const newUpgrade = async (environment: string): Promise<string> =>
  (
    await queries.ask('create-upgrade', {
      actor: 'ann',
      request: { environment, application: 'shop', release: 'shop-2' },
    })
  ).upgrade.id;

async function tell(environment: string, set: string, id = systemIds.next('msg')): Promise<void> {
  const data: CommandData<'backup-found-damaged'> = {
    ...{ environment, application: 'shop', set, backup: 'h1-web@one', instance: 'web@one' },
    ...{ location: '/srv/backups/h1-web@one', site: 'main', problem: 'has another sha256' },
  };
  const name = 'backup-found-damaged';
  const at = new Date().toISOString();
  await publishSurely(backup, {
    ...{ subject: commandSubject(name, 'coordinator'), id },
    payload: JSON.stringify({ id, name, version: 1, at, from: 'backup', data }),
  });
}

const told = (subject: string): Promise<LiftlockCloudEvent[]> =>
  waitFor(() => events.filter((one) => one.subject === subject).length > 0, {
    what: `an event on ${subject}`,
    deadlineMs: 60_000,
  }).then(() => events.filter((one) => one.subject === subject).map(({ event }) => event));

describe('a backup that was found damaged', () => {
  it('is told of in the history of its upgrade and in an event, once', async () => {
    const id = await newUpgrade('prod');
    const message = systemIds.next('msg');
    await tell('prod', id, message);
    const [event] = await told(`liftlock.event.prod.shop.${id}.backup-damaged`);
    expect(EVENT_DATA['backup-damaged'].parse(event?.data)).toMatchObject({
      ...{ set: id, backup: 'h1-web@one', problem: 'has another sha256' },
    });
    await tell('prod', id, message);
    const other = systemIds.next('msg');
    await tell('prod', id, other);
    const types = await waitFor(
      async () => {
        const { items } = await queries.ask('list-events', { id });
        const found = items.filter(({ type }) => type === 'backup-damaged');
        return found.length > 1 ? found : undefined;
      },
      { what: 'the second report', deadlineMs: 60_000 },
    );
    expect(types).toHaveLength(2);
  });

  it('that was asked for by itself is told to its environment', async () => {
    const set = systemIds.next('bak');
    await tell('staging', set);
    const [event] = await told('liftlock.event.staging.shop._.backup-damaged');
    expect(event).toMatchObject({
      type: 'dev.liftlock.backup-damaged.v1',
      data: { set, environment: 'staging', application: 'shop' },
    });
  });
});

describe('instances that are held for a backup', () => {
  it('are no upgrade’s and no other backup’s until they are let go of', async () => {
    const id = systemIds.next('bak');
    const asked = {
      ...{ environment: 'held', application: 'shop' },
      instances: [{ instance: 'web@one', target: 'one' }],
    };
    expect(await fromBackup.ask('hold-instances', { id, ...asked })).toEqual({});
    expect(await fromBackup.ask('hold-instances', { id, ...asked })).toEqual({});
    const other = systemIds.next('bak');
    const { heldBy } = await fromBackup.ask('hold-instances', { id: other, ...asked });
    expect(heldBy?.holder).toBe(id);
    await expect(newUpgrade('held')).rejects.toThrow(`is held by a backup (${id})`);
    await fromBackup.ask('let-go-instances', { id });
    expect(await newUpgrade('held')).toMatch(/^upg_/);
  });
});
