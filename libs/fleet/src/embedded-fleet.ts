import type { App } from '#contracts';
import { LiftlockError } from '#kernel';
import { startFleet, type FleetOptions, type FleetParts } from './fleet-start.js';
import { stopFleet } from './fleet-stop.js';
import type { NatsServer } from './nats-server.js';
import { serviceDatabaseUrl, DATABASE } from './provision-database.js';
import type { RunningServer } from './server-process.js';
import type { ServiceProcess } from './service-process.js';

/** PostgreSQL, NATS, Redis and the services as child processes on loopback. */
export class EmbeddedFleet {
  private constructor(private readonly parts: FleetParts) {}

  /** Starts what does not run, keeps what does, replaces what runs but does not answer or was started otherwise. */
  static async start(options: FleetOptions): Promise<EmbeddedFleet> {
    return new EmbeddedFleet(await startFleet(options));
  }

  get folder(): string {
    return this.parts.folder;
  }
  get postgres(): RunningServer {
    return this.parts.postgres;
  }
  get nats(): NatsServer {
    return this.parts.nats;
  }
  get redis(): RunningServer {
    return this.parts.redis;
  }
  get services(): readonly ServiceProcess[] {
    return this.parts.services;
  }
  /** Whether all of it ran already: this start has started nothing. */
  get wasUp(): boolean {
    return this.parts.wasUp;
  }

  /** The API's address. */
  get url(): string {
    return this.service('gateway').url;
  }
  /** The admin's bearer token. */
  get token(): string {
    return this.parts.state.token;
  }
  /** All replicas of a service. */
  replicas(app: App): ServiceProcess[] {
    return this.services.filter((service) => service.app === app);
  }
  /** The first replica of a service. */
  service(app: App): ServiceProcess {
    const [first] = this.replicas(app);
    if (first === undefined)
      throw new LiftlockError('not_found', `the fleet was started without ${app}`);
    return first;
  }
  /** URL of a service's own schema. */
  databaseUrl(app: App): string {
    return serviceDatabaseUrl(this.postgres.url, app, this.parts.state.passwords.database[app]);
  }
  /** The superuser's URL of the services' database. */
  get adminDatabaseUrl(): string {
    const url = new URL(this.postgres.url);
    url.pathname = `/${DATABASE}`;
    return url.href;
  }
  /** What `connect` of a NATS client takes: as a service, or as the one who may only read events. */
  natsLogin(who: App | 'subscriber'): { servers: string; user: string; pass: string } {
    const { passwords } = this.parts.state;
    const pass = who === 'subscriber' ? passwords.subscriber : passwords.nats[who];
    return { servers: this.nats.url, user: who, pass };
  }

  /** Stops the services, then the servers; nothing of the fleet runs afterwards. Data stays. */
  async stop(): Promise<void> {
    await stopFleet(this.parts.folder, this.parts.state);
  }
}
