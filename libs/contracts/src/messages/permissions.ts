import { APPS, DEFAULT_SITE, type App } from '../apps.js';
import { COMMANDS } from './commands.js';
import { PROGRESS } from './progress.js';
import { QUERIES } from './queries.js';
import {
  COMMAND_STREAM,
  commandConsumer,
  commandFilter,
  EVENT_STREAM,
  EVENT_SUBJECTS,
  progressSubject,
} from './subjects.js';

export interface NatsUser {
  readonly user: string;
  readonly password: string;
  readonly publish: { readonly allow: readonly string[] };
  readonly subscribe: { readonly allow: readonly string[] };
}

/** Who creates and updates the streams. */
export const STREAM_OWNER: App = 'coordinator';
/** Apps with a durable consumer on the event stream. */
const EVENT_CONSUMERS: readonly App[] = ['notifier'];

const commands = Object.values(COMMANDS);
const queries = Object.values(QUERIES);
const progress = Object.values(PROGRESS);

/**
 * What one service may publish and subscribe to: only what the catalogue says that it sends and takes.
 * @param sites that the service runs at; default `main`. One that is not named here gets no commands.
 */
export function permissionsOf(
  app: App,
  sites: readonly string[] = [DEFAULT_SITE],
): Pick<NatsUser, 'publish' | 'subscribe'> {
  const publish = new Set<string>();
  const subscribe = new Set<string>([`_INBOX_${app}.>`]);
  for (const contract of commands) {
    if ((contract.from as readonly App[]).includes(app)) {
      for (const to of contract.to) publish.add(`liftlock.command.*.${to}.${contract.name}`);
    }
  }
  for (const contract of queries) {
    if ((contract.from as readonly App[]).includes(app))
      publish.add(`liftlock.query.*.${contract.to}.${contract.name}`);
    if (contract.to === app) {
      subscribe.add(`liftlock.query.*.${app}.${contract.name}`);
      // answers go to the asker's inbox
      for (const asker of contract.from) publish.add(`_INBOX_${asker}.>`);
    }
  }
  for (const { name, from, to } of progress) {
    const subject = progressSubject(name, { environment: '*', application: '*', upgrade: '*' });
    if (from.includes(app)) publish.add(subject);
    if (to.includes(app)) subscribe.add(subject);
  }
  publish.add('$JS.API.INFO');
  if (commands.some((contract) => (contract.to as readonly App[]).includes(app))) {
    for (const site of sites) {
      const name = commandConsumer(app, site);
      for (const subject of ofConsumer(COMMAND_STREAM, name, commandFilter(app, site)))
        publish.add(subject);
    }
  }
  if (EVENT_CONSUMERS.includes(app)) {
    // it may read every event: under whatever name
    for (const subject of ofConsumer(EVENT_STREAM, '*', EVENT_SUBJECTS)) publish.add(subject);
    publish.add(`$JS.API.CONSUMER.DELETE.${EVENT_STREAM}.*`);
  }
  if (app === STREAM_OWNER) {
    for (const stream of [COMMAND_STREAM, EVENT_STREAM]) {
      for (const verb of ['CREATE', 'UPDATE', 'INFO'])
        publish.add(`$JS.API.STREAM.${verb}.${stream}`);
    }
    publish.add('liftlock.event.>');
    subscribe.add('$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>');
  }
  if (app === 'gateway') {
    // wakes server-sent events; the position is always PostgreSQL's
    subscribe.add('liftlock.event.>');
  }
  return { publish: { allow: [...publish].sort() }, subscribe: { allow: [...subscribe].sort() } };
}

/**
 * What the owner of a durable consumer sends: nobody else draws from it or acknowledges for it, and nobody deletes it. The broker compares the
 * filter in the subject of CREATE with the one in the request, so that no consumer can be made that reads what is not its owner's.
 */
function ofConsumer(stream: string, name: string, filter: string): string[] {
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.${name}.${filter}`,
    `$JS.API.CONSUMER.INFO.${stream}.${name}`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`,
    `$JS.ACK.${stream}.${name}.>`,
    // newer servers put a domain and an account before the stream (ADR-15 of nats-architecture-and-design)
    `$JS.ACK.*.*.${stream}.${name}.>`,
  ];
}

/** The services' users, from the catalogue. */
export function natsUsers(
  passwords: Readonly<Record<App, string>>,
  sites?: readonly string[],
): NatsUser[] {
  return APPS.map((app) => ({ user: app, password: passwords[app], ...permissionsOf(app, sites) }));
}

/** Read-only credentials for the events of one environment, and for the progress of what is under way there. */
export function subscriberUser(user: string, password: string, environment: string): NatsUser {
  return {
    user,
    password,
    publish: { allow: [] },
    subscribe: { allow: [`liftlock.event.${environment}.>`, `liftlock.progress.${environment}.>`] },
  };
}
