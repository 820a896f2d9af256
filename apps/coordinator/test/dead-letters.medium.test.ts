import 'reflect-metadata';
import { Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withClient } from '#fleet';
import { LiftlockError, systemIds, waitFor } from '#kernel';
import {
  cloudEvent,
  COMMAND_STREAM,
  commandConsumer,
  commandSubject,
  EVENT_DATA,
  type App,
  type CommandData,
  type LiftlockCloudEvent,
  type UpgradeView,
} from '#contracts';
import {
  Bus,
  BusModule,
  CommandHandlerFor,
  commandHandlers,
  type CommandHandler,
  type QueryClient,
} from '#bus';
import { DeadLetterRepository, PersistenceModule } from '#persistence';
import {
  patientQueries,
  publishSurely,
  SceneServers,
  takeMessages,
} from '../../../test/support/service-scene.js';
import { CoordinatorModule } from '../src/coordinator.module.js';

/** A planner that can plan nothing, and does not even say so. */
@CommandHandlerFor('compute-plan')
class HopelessHandler implements CommandHandler<'compute-plan'> {
  handle(): Promise<void> {
    return Promise.reject(new LiftlockError('misconfigured', 'this planner cannot plan'));
  }
}

let servers: SceneServers;
let coordinator: INestApplication;
let planner: INestApplication;
let gateway: Bus;
let queries: QueryClient;
let admin: NatsConnection;
const events: Array<{ readonly subject: string; readonly event: LiftlockCloudEvent }> = [];

beforeAll(async () => {
  servers = await SceneServers.open();
  const options = { logger: false, abortOnError: false } as const;
  coordinator = await takeMessages(
    await NestFactory.create(
      CoordinatorModule.forEnv({
        ...servers.env('coordinator'),
        // what is not answered is not asked again within this test
        LIFTLOCK_SWEEP_MS: 600_000,
      }),
      options,
    ),
  );

  @Module({
    imports: [
      PersistenceModule.forRoot({
        app: 'planner',
        url: servers.database.url('planner'),
        entities: [],
        migrations: [],
        publisher: Bus,
      }),
      BusModule.forRoot({ ...servers.busOptions('planner'), deadLetters: DeadLetterRepository }),
    ],
    controllers: commandHandlers<'planner'>({ 'compute-plan': HopelessHandler }),
  })
  class HopelessPlanner {}
  planner = await takeMessages(await NestFactory.create(HopelessPlanner, options), {
    queries: false,
  });

  gateway = await servers.bus('gateway');
  queries = patientQueries(gateway);
  gateway.nats.subscribe('liftlock.event.>', {
    callback: (_error, message) => {
      events.push({ subject: message.subject, event: cloudEvent.parse(message.json()) });
    },
  });
  admin = await connect({ servers: servers.nats.url, ...servers.nats.admin });
});
afterAll(async () => {
  await admin.close();
  await gateway.onApplicationShutdown();
  await planner.close();
  await coordinator.close();
  await servers.close();
});

async function newUpgrade(environment: string): Promise<UpgradeView> {
  const { upgrade } = await queries.ask('create-upgrade', {
    actor: 'ann',
    request: { environment, application: 'shop', release: 'shop-2' },
  });
  return upgrade;
}

/** Onto the planner's subject, as the coordinator's relay would. */
async function send(payload: string, id = systemIds.next('msg')): Promise<string> {
  const subject = commandSubject('compute-plan', 'planner');
  await publishSurely(coordinator.get(Bus), { subject, id, payload });
  return id;
}

const computePlan = (upgrade: string, id: string): string =>
  JSON.stringify({
    id,
    name: 'compute-plan',
    version: 1,
    at: new Date().toISOString(),
    from: 'coordinator',
    data: {
      upgrade,
      request: { environment: 'test', application: 'shop', release: 'shop-2', policy: {} },
    } satisfies CommandData<'compute-plan'>,
  });

const told = (subject: string) =>
  waitFor(() => events.filter((one) => one.subject === subject).length > 0, {
    what: `an event on ${subject}`,
    deadlineMs: 60_000,
  }).then(() => events.filter((one) => one.subject === subject).map(({ event }) => event));

const lettersOf = (app: App) =>
  withClient(servers.database.adminUrl, async (client) => {
    const { rows } = await client.query<{ message_id: string }>(
      `SELECT message_id FROM ${app}.dead_letters`,
    );
    return rows.map((row) => row.message_id);
  });

/** The coordinator has handled all that was sent to it. */
async function expectNothingLeft(): Promise<void> {
  const manager = await jetstreamManager(admin);
  await waitFor(
    async () => {
      const info = await manager.consumers.info(COMMAND_STREAM, commandConsumer('coordinator'));
      return info.num_pending === 0 && info.num_ack_pending === 0;
    },
    { what: 'the coordinator to have nothing left', deadlineMs: 60_000 },
  );
}

const ended = (id: string) =>
  waitFor(
    async () => {
      const view = await queries.ask('get-upgrade', { id });
      return view.state === 'failed' ? view : undefined;
    },
    { what: `the end of ${id}`, deadlineMs: 60_000 },
  );

const FLEET = 'liftlock.event._.planner._.message-dead-lettered';

describe('a message that a service cannot handle', () => {
  it('is told of in the history of its upgrade and in an event, once, and is kept', async () => {
    const { id } = await newUpgrade('prod');
    const [event, ...more] = await told(`liftlock.event.prod.shop.${id}.message-dead-lettered`);
    expect(more).toEqual([]);
    expect(event?.type).toBe('dev.liftlock.message-dead-lettered.v1');
    const data = EVENT_DATA['message-dead-lettered'].parse(event?.data);
    expect(data).toEqual({
      app: 'planner',
      messageId: `${id}.plan.1`,
      subject: 'liftlock.command.main.planner.compute-plan',
      error: { code: 'misconfigured', message: 'this planner cannot plan', retryable: false },
      deliveries: 1,
    });
    expect(await lettersOf('planner')).toContain(data.messageId);
    // nobody will make the plan: it is not waited for for ever
    await ended(id);
    const { items } = await queries.ask('list-events', { id });
    expect(items.map(({ sequence, type }) => [sequence, type])).toEqual([
      [1, 'upgrade-created'],
      [2, 'message-dead-lettered'],
      [3, 'upgrade-state-changed'],
      [4, 'upgrade-failed'],
    ]);
    expect(items[1]?.data).toEqual(data);
    expect(items[3]?.data).toMatchObject({ error: data.error });
    // the relay's mark was lost, and the broker has forgotten the id: the same report comes again
    const report = await withClient(servers.database.adminUrl, async (client) => {
      const { rows } = await client.query<{ subject: string; payload: string }>(
        `SELECT subject, payload FROM planner.outbox WHERE message_id LIKE 'dead-letter-kept.%'`,
      );
      return rows;
    });
    expect(report).toHaveLength(1);
    for (const message of report)
      await publishSurely(planner.get(Bus), { ...message, id: 'again' });
    await expectNothingLeft();
    const { items: after } = await queries.ask('list-events', { id });
    expect(after).toEqual(items);
  });

  it('about an upgrade that has ended does not move its end', async () => {
    const upgrade = await newUpgrade('staging');
    await told(`liftlock.event.staging.shop.${upgrade.id}.message-dead-lettered`);
    const before = await ended(upgrade.id);
    const late = systemIds.next('msg');
    await send(computePlan(upgrade.id, late), late);
    await waitFor(
      async () => {
        const { items } = await queries.ask('list-events', { id: upgrade.id });
        return items.filter(({ type }) => type === 'message-dead-lettered').length === 2;
      },
      { what: 'the second line of history', deadlineMs: 60_000 },
    );
    const after = await queries.ask('get-upgrade', { id: upgrade.id });
    expect(after).toMatchObject({ state: 'failed', endedAt: before.endedAt });
    expect(after.version).toBe(before.version + 1);
  });

  it('and says nothing of its upgrade, or names none that there is, is told to the fleet', async () => {
    const odd = await send('what is this');
    const unknown = systemIds.next('upg');
    const lost = systemIds.next('msg');
    await send(computePlan(unknown, lost), lost);
    await waitFor(() => events.filter(({ subject }) => subject === FLEET).length === 2, {
      what: 'two events of the fleet',
      deadlineMs: 60_000,
    });
    const fleet = await told(FLEET);
    expect(fleet.map(({ id }) => id).sort()).toEqual([`planner:${odd}`, `planner:${lost}`].sort());
    expect(fleet.find(({ subject }) => subject === lost)?.data).toMatchObject({
      upgrade: unknown,
    });
  });

  it('and that itself tells of one is kept, and tells of nothing: there would be no end', async () => {
    const subject = commandSubject('dead-letter-kept', 'coordinator');
    await publishSurely(planner.get(Bus), { subject, id: 'odd-report', payload: '{}' });
    await waitFor(async () => (await lettersOf('coordinator')).includes('odd-report'), {
      what: 'the dead letter',
      deadlineMs: 60_000,
    });
    const reports = await withClient(servers.database.adminUrl, async (client) => {
      const { rows } = await client.query<{ message_id: string }>(
        `SELECT message_id FROM coordinator.outbox WHERE subject = $1`,
        [subject],
      );
      return rows;
    });
    expect(reports).toEqual([]);
    expect(events.filter(({ subject }) => subject.includes('._.coordinator._.'))).toEqual([]);
  });
});
