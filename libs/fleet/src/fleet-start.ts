import { mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { APPS, natsUsers, subscriberUser, type App, type NatsUser } from '#contracts';
import { digestOf, LiftlockError, waitFor } from '#kernel';
import { newProject, type Composed, type ComposedBy } from './composed-server.js';
import {
  newState,
  readState,
  writeState,
  type FleetState,
  type ServerName,
} from './fleet-state.js';
import { attachNats, startNats, type NatsServer } from './nats-server.js';
import { attachPostgres, startPostgres } from './postgres-server.js';
import { endProcess, isAlive, type ProcessIdentity } from './process-identity.js';
import { provisionDatabase } from './provision-database.js';
import { attachRedis, startRedis } from './redis-server.js';
import { rootFolder } from './root-folder.js';
import type { RunningServer, StartOptions } from './server-process.js';
import { serviceEnv, type ServerUrls } from './service-env.js';
import { attachService, startService, type ServiceProcess } from './service-process.js';

export interface FleetOptions {
  /** Folder of its own: state, data, logs. What is in it from an earlier start is used again. */
  readonly folder: string;
  /** Folder that holds `dist/`; default: this repository. */
  readonly root?: string;
  /** Preferred port of the API, when it is free; default: any. */
  readonly port?: number;
  /** Which services; default all eight. */
  readonly apps?: readonly App[];
  /** How many processes of a service; default 1. */
  readonly replicas?: Readonly<Partial<Record<App, number>>>;
  /** More variables for every service, and then for one. */
  readonly env?: Readonly<Record<string, string>>;
  readonly appEnv?: Readonly<Partial<Record<App, Readonly<Record<string, string>>>>>;
  /** All of it ends when this process dies, however it dies. For tests. Default `false`. */
  readonly tied?: boolean;
  /** `false` only for tests: PostgreSQL does not wait for the disk. */
  readonly fsync?: boolean;
  readonly log?: (line: string) => void;
  /** Servers that are to be containers of Docker Compose. What an earlier start has made so stays so. */
  readonly composed?: readonly ServerName[];
  /** By what these are run. */
  readonly composedBy?: ComposedBy | undefined;
  /** Aborted in mid-start: all that this start has started is stopped. */
  readonly signal?: AbortSignal;
}

export interface FleetParts {
  readonly folder: string;
  readonly state: FleetState;
  readonly postgres: RunningServer;
  readonly nats: NatsServer;
  readonly redis: RunningServer;
  readonly services: readonly ServiceProcess[];
  readonly wasUp: boolean;
}

/** Milliseconds that something which runs from an earlier start may take to answer before it is replaced: longer than a machine stands still. */
export const KEEP_DEADLINE_MS = 30_000;

export async function startFleet(options: FleetOptions): Promise<FleetParts> {
  const start = new FleetStart(options);
  try {
    return await start.run();
  } catch (error) {
    await start.undo();
    throw error;
  }
}

/** One start: each process is in the state file from the moment it exists, so that nothing is ever left unknown. */
class FleetStart {
  private readonly folder: string;
  private readonly state: FleetState;
  private readonly failure = new AbortController();
  private readonly signal: AbortSignal;
  private readonly started: RunningServer[] = [];

  constructor(private readonly options: FleetOptions) {
    this.folder = resolve(options.folder);
    mkdirSync(this.folder, { recursive: true });
    this.state = readState(this.folder) ?? newState();
    for (const name of options.composed ?? [])
      this.state.servers[name].container ??= this.newContainer(name);
    this.signal = AbortSignal.any([
      this.failure.signal,
      ...(options.signal ? [options.signal] : []),
    ]);
  }

  async run(): Promise<FleetParts> {
    this.save();
    await this.endUnwanted();
    const { state } = this;
    const users = fleetUsers(state);
    const part = (name: ServerName): ServerOptions => this.serverOptions(name);
    const [postgres, nats, redis] = await this.together([
      () => {
        const own = {
          ...part('postgres'),
          password: state.passwords.postgres,
          fsync: this.options.fsync,
        };
        return this.keepOrStart(
          'postgres',
          (...at) => attachPostgres(own, ...at),
          () => startPostgres(own),
        );
      },
      async () => {
        const own = { ...part('nats'), users };
        const server = await this.keepOrStart(
          'nats',
          (...at) => attachNats(own, ...at),
          () => startNats(own),
        );
        await server.setUsers(users); // one that was kept may know those of an older version
        return server;
      },
      () => {
        const own = { ...part('redis'), password: state.passwords.redis };
        return this.keepOrStart(
          'redis',
          (...at) => attachRedis(own, ...at),
          () => startRedis(own),
        );
      },
    ]);
    await provisionDatabase(postgres.url, state.passwords.database);
    const urls = { postgres: postgres.url, nats: nats.url, redis: redis.url };
    const services = await this.together(
      this.wanted().map(
        ({ app, replica }) =>
          () =>
            this.keepOrStartService(app, replica, urls),
      ),
    );
    return {
      folder: this.folder,
      state,
      postgres,
      nats,
      redis,
      services,
      wasUp: this.started.length === 0,
    };
  }

  /** Stops what this start has started. */
  async undo(): Promise<void> {
    await Promise.all(this.started.map((server) => server.stop()));
    for (const part of [...Object.values(this.state.servers), ...this.state.services]) {
      if (part.identity !== undefined && !isAlive(part.identity)) delete part.identity;
    }
    this.save();
  }

  /** All at once; when one fails the others are given up, and only when each has ended does this return. */
  private async together<const Tasks extends readonly (() => Promise<unknown>)[]>(
    tasks: Tasks,
  ): Promise<{ -readonly [I in keyof Tasks]: Awaited<ReturnType<Tasks[I]>> }> {
    let first: { error: unknown } | undefined;
    const results = await Promise.all(
      tasks.map((task) =>
        task().catch((error: unknown) => {
          first ??= { error };
          this.failure.abort(error);
        }),
      ),
    );
    if (first !== undefined) throw first.error;
    return results as { -readonly [I in keyof Tasks]: Awaited<ReturnType<Tasks[I]>> };
  }

  private async keepOrStart<S extends RunningServer>(
    name: ServerName,
    attach: (port: number, identity: ProcessIdentity) => S,
    start: () => Promise<S>,
  ): Promise<S> {
    const known = this.state.servers[name];
    if (known.port !== undefined && known.identity !== undefined && isAlive(known.identity)) {
      const server = attach(known.port, known.identity);
      if (await this.keeps(server)) return server;
    }
    const server = await start();
    this.started.push(server);
    this.options.log?.(`${name} on 127.0.0.1:${server.port} (pid ${server.pid})`);
    return server;
  }

  private async keepOrStartService(
    app: App,
    replica: number,
    urls: ServerUrls,
  ): Promise<ServiceProcess> {
    const { folder, state, options } = this;
    const root = options.root ?? rootFolder();
    const env = {
      ...serviceEnv(app, urls, state, folder),
      ...options.env,
      ...options.appEnv?.[app],
    };
    const digest = digestOf({ env, build: buildOf(root) });
    const known = state.services.find((one) => one.app === app && one.replica === replica);
    const base = {
      root,
      folder,
      replica,
      tied: options.tied,
      signal: this.signal,
      port: known?.port ?? (app === 'gateway' && replica === 1 ? options.port : undefined),
      onSpawn: (identity: ProcessIdentity, port: number) => {
        const others = state.services.filter((one) => one.app !== app || one.replica !== replica);
        state.services = [...others, { app, replica, port, identity, digest }];
        this.save();
      },
    };
    if (known?.identity !== undefined && isAlive(known.identity)) {
      const service = attachService(app, env, base, known.port, known.identity);
      if (known.digest === digest && (await this.keeps(service))) return service;
      await service.stop();
    }
    const service = await startService(app, env, base);
    this.started.push(service);
    options.log?.(`${service.name} on 127.0.0.1:${service.port} (pid ${service.pid})`);
    return service;
  }

  /** Whether one from an earlier start still answers; if not, it is stopped, to be started anew. */
  private async keeps(server: RunningServer): Promise<boolean> {
    const answers = await waitFor(() => server.answers(), {
      what: `${server.name} answers`,
      deadlineMs: KEEP_DEADLINE_MS,
      signal: this.signal,
    }).catch(() => false);
    this.signal.throwIfAborted();
    if (!answers) {
      this.options.log?.(`${server.name} (pid ${server.pid}) does not answer: it is replaced`);
      await server.stop();
    }
    return answers;
  }

  /** Ends services of an earlier start that this one does not want: fewer replicas, other apps. */
  private async endUnwanted(): Promise<void> {
    const wanted = this.wanted();
    const isWanted = ({ app, replica }: { app: App; replica: number }): boolean =>
      wanted.some((one) => one.app === app && one.replica === replica);
    const unwanted = this.state.services.filter((one) => !isWanted(one));
    const running = unwanted.flatMap(({ identity }) => identity ?? []);
    await Promise.all(running.map((identity) => endProcess(identity)));
    this.state.services = this.state.services.filter(isWanted);
    this.save();
  }

  private wanted(): { app: App; replica: number }[] {
    return (this.options.apps ?? APPS).flatMap((app) =>
      Array.from({ length: this.options.replicas?.[app] ?? 1 }, (_, i) => ({
        app,
        replica: i + 1,
      })),
    );
  }

  private serverOptions(name: ServerName): ServerOptions {
    return {
      folder: join(this.folder, name),
      composed: this.composed(name),
      port: this.state.servers[name].port,
      tied: this.options.tied,
      signal: this.signal,
      onSpawn: (identity, port) => {
        this.state.servers[name] = { ...this.state.servers[name], port, identity };
        this.save();
      },
    };
  }

  private newContainer(name: ServerName): Pick<Composed, 'project' | 'engineHost'> | undefined {
    const { composedBy } = this.options;
    return composedBy && { project: newProject(name), engineHost: composedBy.engineHost };
  }

  private composed(name: ServerName): Composed | undefined {
    const { container } = this.state.servers[name];
    if (container === undefined) return undefined;
    const { composedBy } = this.options;
    if (composedBy === undefined)
      throw new LiftlockError(
        'misconfigured',
        `${name} of ${this.folder} is a container of Docker Compose (project ${container.project}): start it with ./liftlock up`,
      );
    return { ...container, client: composedBy.client };
  }

  private save(): void {
    writeState(this.folder, this.state);
  }
}

type ServerOptions = StartOptions & { folder: string; composed: Composed | undefined };

function fleetUsers({ passwords }: FleetState): NatsUser[] {
  return [...natsUsers(passwords.nats), subscriberUser('subscriber', passwords.subscriber, '*')];
}

/** Changes with each build, so that services of an older one are replaced. */
function buildOf(root: string): number {
  return statSync(join(root, 'dist', '.tsbuildinfo'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
