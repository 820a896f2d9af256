import type { INestApplication } from '@nestjs/common';
import { Bus, CommandServer, QueryClient, QueryServer, type BusOptions } from '#bus';
import type { App } from '#contracts';
import { waitFor } from '#kernel';
import { freshDatabase, type FreshDatabase } from './database.js';
import { freshNats, type FreshNats } from './fresh-servers.js';

/** The servers of a test that has one service's module in its own process, and speaks to it for others. */
export class SceneServers {
  constructor(
    readonly nats: FreshNats,
    readonly database: FreshDatabase,
  ) {}

  static async open(): Promise<SceneServers> {
    return new SceneServers(...(await Promise.all([freshNats(), freshDatabase()])));
  }

  async close(): Promise<void> {
    await this.nats.stop();
    await this.database.drop();
  }

  /** A bus on which the test speaks for an app, as its own user. */
  bus(app: App): Promise<Bus> {
    return Bus.open(this.busOptions(app));
  }

  busOptions(app: App): Pick<BusOptions, 'app' | 'site' | 'url' | 'user' | 'password'> {
    const { user, pass } = this.nats.user(app);
    return { app, site: 'main', url: this.nats.url, user, password: pass };
  }

  /** What every service reads from its environment, as `serviceEnv` has parsed it. A module alone listens on no port. */
  env(app: App) {
    const { url, user, password } = this.busOptions(app);
    return {
      ...{ DATABASE_URL: this.database.url(app), PORT: 1, LIFTLOCK_LISTEN: '127.0.0.1' },
      ...{ NATS_URL: url, NATS_USER: user, NATS_PASSWORD: password },
      ...{ LIFTLOCK_SITE: 'main', LIFTLOCK_LOG_LEVEL: 'warn' as const },
    };
  }
}

/** Longer than any machine stands still. */
const ANSWER_MS = 120_000;

/**
 * Asks as a service does, but waits for an answer for two minutes rather than for the contract's time: asked again in its place, what
 * was heard would be done twice.
 */
export function patientQueries(bus: Bus): QueryClient {
  const request: Bus['request'] = (subject, payload) => bus.request(subject, payload, ANSWER_MS);
  return new QueryClient(Object.create(bus, { request: { value: request } }) as Bus);
}

/** The same of a service in the test's own process: who is to answer stands still with it. */
export function makePatient(bus: Bus): void {
  const request = bus.request.bind(bus);
  bus.request = (subject, payload) => request(subject, payload, ANSWER_MS);
}

/** As the relay does: until the broker has taken it. */
export async function publishSurely(
  bus: Bus,
  message: Parameters<Bus['publish']>[0],
): Promise<void> {
  await waitFor(() => bus.publish(message).then(() => true), {
    what: `the broker to take ${message.id}`,
    deadlineMs: 60_000,
  });
}

/** Has an app take its messages, as `bootstrap` does. */
export async function takeMessages(
  app: INestApplication,
  has: { readonly queries: boolean } = { queries: true },
): Promise<INestApplication> {
  app.connectMicroservice({ strategy: app.get(CommandServer) }, { inheritAppConfig: false });
  if (has.queries)
    app.connectMicroservice({ strategy: app.get(QueryServer) }, { inheritAppConfig: false });
  await app.init();
  await app.startAllMicroservices();
  return app;
}
