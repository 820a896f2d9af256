import 'reflect-metadata';
import type { DataSource } from 'typeorm';
import { waitFor } from '#kernel';
import { CommittedMessages } from '../src/committed-messages.js';
import {
  Inbox,
  openDataSource,
  Outbox,
  UnitOfWork,
  type OutboxMessage,
  type OutboxPublisher,
} from '../src/index.js';
import { Relay } from '../src/relay.js';

type Published = Parameters<OutboxPublisher['publish']>[0];

/** A broker: what it has acknowledged, in that order, from however many processes. The same id again is no second message. */
export class Broker implements OutboxPublisher {
  readonly arrived: Published[] = [];
  /** `false`: an id that is sent again is seen again. */
  knowsIds = true;
  /** What was asked of it, refused or not. */
  tries = 0;
  /** Throws what it refuses. */
  refuse: (message: Published) => void = () => undefined;

  async publish(message: Published): Promise<void> {
    this.tries += 1;
    // some take longer than others
    for (let turn = this.tries % 3; turn >= 0; turn -= 1)
      await new Promise((resolve) => setImmediate(resolve));
    this.refuse(message);
    if (!this.knowsIds || !this.ids().includes(message.id)) this.arrived.push(message);
  }

  ids(prefix = ''): string[] {
    return this.arrived.map(({ id }) => id).filter((id) => id.startsWith(prefix));
  }

  async untilArrived(id: string, count = 1): Promise<void> {
    await waitFor(() => this.arrived.filter((message) => message.id === id).length >= count, {
      what: `${id} to arrive ${count} times`,
      deadlineMs: 60_000,
      everyMs: 2,
    });
  }
}

/** One process of a service, as far as its database goes. */
export interface Service {
  readonly source: DataSource;
  readonly work: UnitOfWork;
  readonly outbox: Outbox;
  readonly inbox: Inbox;
  readonly relay: Relay;
  /** Sends it in a transaction of its own. */
  send(...messages: readonly OutboxMessage[]): Promise<void>;
  close(): Promise<void>;
}

/** @param relaying `false`: like a process that dies before its relay gets to anything. */
export async function startService(
  url: string,
  broker: OutboxPublisher,
  relaying = true,
): Promise<Service> {
  const source = await openDataSource({ app: 'mirror', url, entities: [], migrations: [] });
  const messages = new CommittedMessages();
  const work = new UnitOfWork(source, messages);
  const outbox = new Outbox(messages);
  const relay = new Relay(source, messages, broker);
  if (relaying) relay.onApplicationBootstrap();
  return {
    source,
    work,
    outbox,
    inbox: new Inbox(),
    relay,
    send: (...all) =>
      work.run(async (tx) => {
        for (const message of all) await outbox.add(tx, message);
      }),
    close: async () => {
      if (relaying) await relay.onApplicationShutdown();
      if (source.isInitialized) await source.destroy();
    },
  };
}

export function message(id: string, orderKey?: string, subject = 'a.b'): OutboxMessage {
  return { id, subject, payload: JSON.stringify({ id }), orderKey };
}

/** As if all that waits had been committed long ago. */
export async function age({ source }: Service): Promise<void> {
  await source.query(`UPDATE outbox SET created_at = created_at - interval '1 hour'`);
}

/** Ids that are not marked as sent. */
export async function unsent({ source }: Service): Promise<string[]> {
  const rows = await source.query<Array<{ message_id: string }>>(
    `SELECT message_id FROM outbox WHERE sent_at IS NULL ORDER BY id`,
  );
  return rows.map((row) => row.message_id);
}

export async function untilMarked(service: Service): Promise<void> {
  await waitFor(async () => (await unsent(service)).length === 0, {
    what: 'all to be marked as sent',
    deadlineMs: 60_000,
    everyMs: 5,
  });
}
