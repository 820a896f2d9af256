import { randomBytes } from 'node:crypto';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { withClient } from '#fleet';
import { systemIds, waitFor } from '#kernel';
import {
  environmentDocument,
  eventSubject,
  querySubject,
  type EventType,
  type QueryData,
  type ReplyEnvelope,
} from '#contracts';
import { toCloudEvent, type Bus } from '#bus';
import type { FreshDatabase, FreshNats } from '../../../../test/support/index.js';
import { SceneServers } from '../../../../test/support/service-scene.js';

export interface Webhook {
  readonly url: string;
  readonly events?: readonly EventType[];
  readonly secret: string;
}

/** A message as the coordinator's outbox has it. */
export interface OutboxEvent {
  readonly subject: string;
  readonly id: string;
  readonly payload: string;
}

export interface Delivery {
  readonly event_id: string;
  readonly url: string;
  readonly secret: string;
  readonly state: string;
  readonly attempts: number;
  readonly last_status: number | null;
  readonly last_error: string | null;
}

export const newSecret = (): string => `whsec_${randomBytes(24).toString('base64')}`;

/** What is around a notifier: a database, a broker, a coordinator that publishes, a planner that knows the environments. */
export class Scene {
  /** Everything that was published: what a coordinator fills a broker with that came back empty. */
  readonly published: OutboxEvent[] = [];
  private readonly webhooks = new Map<string, readonly object[]>();
  private planner: NatsConnection | undefined;

  private constructor(
    private readonly servers: SceneServers,
    readonly coordinator: Bus,
  ) {}

  static async open(): Promise<Scene> {
    const servers = await SceneServers.open();
    const scene = new Scene(servers, await servers.bus('coordinator'));
    await scene.plannerComes();
    return scene;
  }

  get nats(): FreshNats {
    return this.servers.nats;
  }

  get database(): FreshDatabase {
    return this.servers.database;
  }

  async close(): Promise<void> {
    await this.plannerLeaves();
    await this.coordinator.onApplicationShutdown();
    await this.servers.close();
  }

  /** Stores a new environment document with these webhooks. @returns its name. */
  environment(...webhooks: readonly Webhook[]): string {
    const name = `e-${randomBytes(4).toString('hex')}`;
    this.change(name, ...webhooks);
    return name;
  }

  /** Stores the environment's document anew. */
  change(name: string, ...webhooks: readonly Webhook[]): void {
    const document = environmentDocument.parse({
      apiVersion: 'liftlock.dev/v1',
      kind: 'Environment',
      metadata: { name },
      spec: { targets: [{ name: 't', driver: 'model', endpoint: '/nowhere' }], webhooks },
    });
    this.webhooks.set(name, document.spec.webhooks);
  }

  async plannerComes(): Promise<void> {
    const { user, pass } = this.nats.user('planner');
    const connection = await connect({
      servers: this.nats.url,
      user,
      pass,
      inboxPrefix: '_INBOX_planner',
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
    });
    connection.subscribe(querySubject('environment-webhooks'), {
      callback: (_error, message) => {
        const { environment } = message.json<QueryData<'environment-webhooks'>>();
        const webhooks = this.webhooks.get(environment);
        const reply: ReplyEnvelope =
          webhooks === undefined
            ? { ok: false, error: { code: 'not_found', message: 'no such', retryable: false } }
            : { ok: true, data: { webhooks } };
        message.respond(JSON.stringify(reply));
      },
    });
    await connection.flush();
    this.planner = connection;
  }

  async plannerLeaves(): Promise<void> {
    await this.planner?.close();
    this.planner = undefined;
  }

  /** Publishes the first events of a new upgrade. @returns their ids, in order. */
  async upgrade(environment: string, ...types: readonly EventType[]): Promise<string[]> {
    const upgrade = systemIds.next('upg');
    const events = types.map((type, index): OutboxEvent => {
      const event = toCloudEvent(
        { upgrade, sequence: index + 1, type, at: new Date().toISOString(), data: {} },
        { environment, application: 'shop' },
      );
      return {
        subject: eventSubject(environment, 'shop', upgrade, type),
        id: event.id,
        payload: JSON.stringify(event),
      };
    });
    this.published.push(...events);
    for (const event of events) await this.publish(event);
    return events.map(({ id }) => id);
  }

  /** As the relay does: until the broker has taken it. */
  async publish(event: OutboxEvent): Promise<void> {
    await waitFor(() => this.coordinator.publish(event).then(() => true), {
      what: `the broker to take ${event.id}`,
      deadlineMs: 60_000,
    });
  }

  async deliveries(eventIds: readonly string[]): Promise<Delivery[]> {
    return withClient(this.database.adminUrl, async (client) => {
      const { rows } = await client.query<Delivery>(
        `SELECT event_id, url, secret, state, attempts, last_status, last_error
         FROM notifier.deliveries WHERE event_id = ANY ($1) ORDER BY id`,
        [eventIds],
      );
      return rows;
    });
  }

  /** As time does to the claims of the dead. No notifier may run. */
  async claimsEnd(): Promise<void> {
    await withClient(this.database.adminUrl, async (client) => {
      // what the dead have asked last may yet be done
      await waitFor(
        async () => {
          const { rows } = await client.query(
            `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
               AND backend_type = 'client backend'`,
          );
          return rows.length === 0;
        },
        { what: 'the dead to have left the database', deadlineMs: 60_000 },
      );
      await client.query(
        `UPDATE notifier.deliveries SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL`,
      );
    });
  }

  /** Waits until the events' deliveries are no longer pending. */
  async ended(eventIds: readonly string[], count = eventIds.length): Promise<Delivery[]> {
    return waitFor(
      async () => {
        const rows = await this.deliveries(eventIds);
        return rows.length === count && rows.every(({ state }) => state !== 'pending') && rows;
      },
      { what: `the end of ${count} deliveries`, deadlineMs: 60_000 },
    );
  }

  async deadLetters(): Promise<Array<{ readonly message_id: string; readonly subject: string }>> {
    return withClient(this.database.adminUrl, async (client) => {
      const { rows } = await client.query<{ message_id: string; subject: string }>(
        `SELECT message_id, subject FROM notifier.dead_letters ORDER BY recorded_at`,
      );
      return rows;
    });
  }
}
