import { setImmediate } from 'node:timers/promises';
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, errors, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  APPS,
  COMMAND_STREAM,
  COMMAND_SUBJECTS,
  commandConsumer,
  commandFilter,
  COMMANDS,
  commandSubject,
  EVENT_STREAM,
  EVENT_SUBJECTS,
  EVENT_TYPES,
  eventSubject,
  PROGRESS,
  progressSubject,
  QUERIES,
  querySubject,
  subscriberUser,
  type App,
  type CommandContract,
  type CommandName,
  type ProgressContract,
  type ProgressName,
  type QueryContract,
  type QueryName,
} from '#contracts';
import { freshNats, type FreshNats } from '../../../test/support/index.js';
import { UPGRADE } from './golden-samples.js';

const SUBSCRIBER = 'subscriber-of-prod';
const PASSWORD = 'read-only';
const STREAMS = [COMMAND_STREAM, EVENT_STREAM];

let nats: FreshNats;
beforeAll(async () => {
  nats = await freshNats([subscriberUser(SUBSCRIBER, PASSWORD, 'prod')]);
  const admin = await connect({ servers: nats.url, ...nats.admin });
  const manager = await jetstreamManager(admin);
  await manager.streams.add({ name: COMMAND_STREAM, subjects: [COMMAND_SUBJECTS] });
  await manager.streams.add({ name: EVENT_STREAM, subjects: [EVENT_SUBJECTS] });
  await admin.close();
});
afterAll(() => nats.stop());

/** Everything that is said on the wire, by who may say it. */
const commands = Object.values<CommandContract>(COMMANDS).flatMap((contract) =>
  contract.to.flatMap((to) =>
    ['main', 'dock-2'].map((site) => ({
      from: contract.from,
      subject: commandSubject(contract.name as CommandName, to, site),
    })),
  ),
);
const queries = Object.values<QueryContract>(QUERIES).map((contract) => ({
  from: contract.from,
  to: contract.to,
  subject: querySubject(contract.name as QueryName),
}));
const events = EVENT_TYPES.map((type) => ({
  from: ['coordinator'] as readonly App[],
  subject: eventSubject('prod', 'guestbook', UPGRADE, type),
}));
const about = { environment: 'prod', application: 'guestbook', upgrade: UPGRADE };
const progress = Object.values<ProgressContract>(PROGRESS).map(({ name, from }) => ({
  from,
  subject: progressSubject(name as ProgressName, about),
}));
const inboxes = APPS.map((app) => ({
  from: APPS.filter((other) =>
    Object.values<QueryContract>(QUERIES).some(
      ({ from, to }) => to === other && from.includes(app),
    ),
  ),
  subject: `_INBOX_${app}.answer`,
}));
const takesCommands = (app: App): boolean =>
  Object.values<CommandContract>(COMMANDS).some(({ to }) => to.includes(app));
const consumers = APPS.flatMap((app) => {
  const name = commandConsumer(app);
  const owner = takesCommands(app) ? [app] : [];
  return [
    {
      from: owner,
      subject: `$JS.API.CONSUMER.CREATE.${COMMAND_STREAM}.${name}.${commandFilter(app)}`,
    },
    { from: owner, subject: `$JS.API.CONSUMER.MSG.NEXT.${COMMAND_STREAM}.${name}` },
    { from: owner, subject: `$JS.API.CONSUMER.INFO.${COMMAND_STREAM}.${name}` },
    { from: owner, subject: `$JS.ACK.${COMMAND_STREAM}.${name}.1.1.1.1.0` },
    { from: [], subject: `$JS.API.CONSUMER.CREATE.${COMMAND_STREAM}.${name}.liftlock.command.>` },
    { from: [], subject: `$JS.API.CONSUMER.CREATE.${COMMAND_STREAM}` },
    { from: [], subject: `$JS.API.CONSUMER.DURABLE.CREATE.${COMMAND_STREAM}.${name}` },
    { from: [], subject: `$JS.API.CONSUMER.DELETE.${COMMAND_STREAM}.${name}` },
  ];
});
const administration = STREAMS.flatMap((stream) => [
  { from: ['coordinator'], subject: `$JS.API.STREAM.CREATE.${stream}` },
  { from: ['coordinator'], subject: `$JS.API.STREAM.UPDATE.${stream}` },
  ...['DELETE', 'PURGE', 'MSG.GET', 'MSG.DELETE', 'SNAPSHOT', 'RESTORE'].map((verb) => ({
    from: [],
    subject: `$JS.API.STREAM.${verb}.${stream}`,
  })),
]);
const said: ReadonlyArray<{ readonly from: readonly string[]; readonly subject: string }> = [
  ...commands,
  ...queries,
  ...events,
  ...progress,
  ...inboxes,
  ...consumers,
  ...administration,
  { from: [], subject: 'anything.else' },
];

const heard: ReadonlyArray<{ readonly by: readonly string[]; readonly subject: string }> = [
  ...APPS.map((app) => ({ by: [app], subject: `_INBOX_${app}.>` })),
  ...APPS.map((app) => ({ by: [app], subject: `_INBOX_${app}.answer` })),
  ...queries.map(({ to, subject }) => ({ by: [to], subject })),
  ...commands.map(({ subject }) => ({ by: [], subject })),
  { by: ['gateway'], subject: 'liftlock.event.>' },
  ...progress.map(({ subject }) => ({ by: ['gateway'], subject })),
  { by: [], subject: 'liftlock.progress.>' },
  { by: [], subject: 'liftlock.>' },
  { by: [], subject: '_INBOX.>' },
  { by: [], subject: '$JS.API.>' },
  { by: [], subject: '$JS.ACK.>' },
  { by: [], subject: '>' },
];

async function as<T>(
  login: { readonly user: string; readonly pass: string },
  work: (connection: NatsConnection) => Promise<T>,
): Promise<T> {
  const connection = await connect({
    servers: nats.url,
    ...login,
    inboxPrefix: `_INBOX_${login.user}`,
    reconnect: false,
  });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** Those that the broker did not refuse: it refuses before it answers the flush. */
async function publishable(connection: NatsConnection, subjects: string[]): Promise<string[]> {
  const refused = new Set<string>();
  void (async () => {
    for await (const status of connection.status()) {
      if (status.type === 'error' && status.error instanceof errors.PermissionViolationError)
        refused.add(status.error.subject);
    }
  })();
  for (const subject of subjects) {
    connection.publish(subject, '{}');
    // one by one, so that each refusal is told before the next
    await connection.flush();
    await setImmediate();
  }
  return subjects.filter((subject) => !refused.has(subject));
}

async function audible(connection: NatsConnection, subjects: string[]): Promise<string[]> {
  const refused = new Set<string>();
  for (const subject of subjects) {
    connection.subscribe(subject, {
      callback: (error) => {
        if (error !== null) refused.add(subject);
      },
    });
  }
  await connection.flush();
  return subjects.filter((subject) => !refused.has(subject));
}

describe.each(APPS)('%s', (app) => {
  it('says what the catalogue lets it say, and is refused what others say', async () => {
    const may = await as(nats.user(app), (connection) =>
      publishable(
        connection,
        said.map(({ subject }) => subject),
      ),
    );
    expect(may).toEqual(
      said.filter(({ from }) => from.includes(app)).map(({ subject }) => subject),
    );
  });

  it("hears its own questions and answers, and is refused another's inbox", async () => {
    const may = await as(nats.user(app), (connection) =>
      audible(
        connection,
        heard.map(({ subject }) => subject),
      ),
    );
    expect(may).toEqual(heard.filter(({ by }) => by.includes(app)).map(({ subject }) => subject));
  });
});

describe('a service', () => {
  it("cannot make a consumer under its own name that reads another's commands", async () => {
    const answer = await as(nats.user('planner'), (connection) =>
      connection.request(
        `$JS.API.CONSUMER.CREATE.${COMMAND_STREAM}.main-planner.${commandFilter('planner')}`,
        JSON.stringify({
          stream_name: COMMAND_STREAM,
          config: {
            name: 'main-planner',
            durable_name: 'main-planner',
            ack_policy: AckPolicy.Explicit,
            deliver_policy: DeliverPolicy.All,
            filter_subject: commandFilter('coordinator'),
          },
        }),
      ),
    );
    expect(answer.json()).toMatchObject({
      error: { description: expect.stringContaining('filtered subject') as string },
    });
  });

  it('that may read all events may do so under any name, from the first', async () => {
    const subject = eventSubject('prod', 'guestbook', UPGRADE, 'upgrade-created');
    await as(nats.user('coordinator'), (connection) => jetstream(connection).publish(subject, '1'));
    const read = await as(nats.user('notifier'), async (connection) => {
      const consumer = await jetstream(connection, { checkAPI: false }).consumers.get(
        EVENT_STREAM,
        { filter_subjects: `liftlock.event.*.*.${UPGRADE}.*` },
      );
      return (await consumer.next({ expires: 5_000 }))?.subject;
    });
    expect(read).toMatch(/^liftlock\.event\.prod\.guestbook\./);
  });

  it('with the wrong password gets nowhere', async () => {
    await expect(
      connect({ servers: nats.url, user: 'planner', pass: 'guessed', reconnect: false }),
    ).rejects.toThrow(errors.AuthorizationError);
  });
});

describe("a subscriber to an environment's events", () => {
  const login = { user: SUBSCRIBER, pass: PASSWORD };

  it('publishes nothing at all', async () => {
    const subjects = [...said.map(({ subject }) => subject), `_INBOX_${SUBSCRIBER}.x`, 'x'];
    expect(await as(login, (connection) => publishable(connection, subjects))).toEqual([]);
  });

  it('hears its environment, and no other, no inbox and no command', async () => {
    const own = [
      'liftlock.event.prod.>',
      eventSubject('prod', 'a', UPGRADE, 'upgrade-failed'),
      'liftlock.progress.prod.>',
      ...progress.map(({ subject }) => subject),
    ];
    const subjects = [
      ...own,
      'liftlock.progress.staging.>',
      'liftlock.event.staging.>',
      'liftlock.event.*.guestbook.>',
      `_INBOX_${SUBSCRIBER}.>`,
      ...heard.map(({ subject }) => subject).filter((subject) => !own.includes(subject)),
    ];
    expect(await as(login, (connection) => audible(connection, subjects))).toEqual(own);
  });
});
