import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { EVENT_STREAM, EVENT_SUBJECTS, cloudEvent, type App } from '#contracts';
import { createModelWorld, readLedger, readWorld, type LedgerLine } from '#drivers/model';
import { EmbeddedFleet } from '#fleet';
import { ApiClient } from './api-client.js';

export const COMPONENTS = ['a', 'b', 'c'] as const;
export const OLD_IMAGE = 'service:1.0';
export const NEW_IMAGE = 'service:2.0';
/** Short, so that a death is noticed while a test waits. */
const LEASE_MS = 2_000;
const SWEEP_MS = 400;
/** A gateway that is killed again and again is up for moments only. */
const PATIENCE_MS = 300_000;

/** A real fleet on real servers whose only target is a model that keeps a ledger of what truly happened. */
export class ModelFleet {
  readonly api: ApiClient;
  private worlds = 0;
  private readonly kills = new Map<App, Promise<void>>();

  private constructor(
    readonly folder: string,
    readonly fleet: EmbeddedFleet,
  ) {
    this.api = new ApiClient(fleet.url, fleet.token, PATIENCE_MS);
  }

  /** @param backup variables of the backup service, besides those that all have */
  static async start(backup: Readonly<Record<string, string>> = {}): Promise<ModelFleet> {
    const folder = mkdtempSync(join(tmpdir(), 'liftlock-chaos-'));
    const fleet = await EmbeddedFleet.start({
      folder,
      tied: true,
      fsync: false,
      env: {
        LIFTLOCK_DRIVERS: 'model',
        LIFTLOCK_LEASE_MS: String(LEASE_MS),
        LIFTLOCK_SWEEP_MS: String(SWEEP_MS),
      },
      appEnv: { backup },
    });
    return new ModelFleet(folder, fleet);
  }

  async stop(): Promise<void> {
    await this.fleet.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /**
   * A world of three components in three waves, all with data unless it is said otherwise, and the documents that lead from 1.0 to 2.0.
   * @param specs what components' documents say besides, by name; `data: undefined`: it has none
   * @param objects of a cluster's API, by `<namespace>/<kind>/<name>`
   */
  async newWorld(
    specs: Readonly<Record<string, object>> = {},
    objects: Readonly<Record<string, string>> = {},
  ): Promise<ModelRun> {
    this.worlds += 1;
    const name = `world-${this.worlds}`;
    const world = join(this.folder, name);
    await createModelWorld(
      world,
      COMPONENTS.map((container) => ({
        container,
        image: OLD_IMAGE,
        ...('data' in (specs[container] ?? {})
          ? {}
          : { data: { '/data/text': `of ${container}` } }),
      })),
      [NEW_IMAGE],
      objects,
    );
    const head = { apiVersion: 'liftlock.dev/v1' };
    await this.api.put('environments', {
      ...head,
      kind: 'Environment',
      metadata: { name },
      spec: { targets: [{ name: 'host', driver: 'model', endpoint: world }] },
    });
    await this.api.put('applications', {
      ...head,
      kind: 'Application',
      metadata: { name },
      spec: {
        components: COMPONENTS.map((component, index) => ({
          name: component,
          targets: ['host'],
          dependsOn: COMPONENTS.slice(Math.max(0, index - 1), index),
          data: { paths: ['/data'] },
          checks: [{ type: 'running', deadlineSeconds: 5, intervalMs: 50, stableSeconds: 0 }],
          ...specs[component],
        })),
      },
    });
    for (const [version, image] of [
      ['1.0', OLD_IMAGE],
      ['2.0', NEW_IMAGE],
    ]) {
      await this.api.put('releases', {
        ...head,
        kind: 'Release',
        metadata: { name: `${name}-${version}` },
        spec: {
          application: name,
          version,
          components: Object.fromEntries(COMPONENTS.map((component) => [component, { image }])),
        },
      });
    }
    return new ModelRun(this, name, world);
  }

  /** Ids of the CloudEvents that the stream holds of one upgrade. */
  async streamed(upgrade: string): Promise<string[]> {
    const connection = await connect({
      ...this.fleet.natsLogin('notifier'),
      inboxPrefix: '_INBOX_notifier',
    });
    try {
      const consumer = await jetstream(connection, { checkAPI: false }).consumers.get(
        EVENT_STREAM,
        { filter_subjects: EVENT_SUBJECTS },
      );
      const ids: string[] = [];
      const { num_pending: pending } = await consumer.info();
      if (pending === 0) return ids;
      const messages = await consumer.fetch({ max_messages: pending, expires: 5_000 });
      for await (const message of messages) {
        const { id } = cloudEvent.parse(message.json());
        if (id.startsWith(`${upgrade}:`)) ids.push(id);
      }
      return ids;
    } finally {
      await connection.close();
    }
  }

  /** SIGKILL, and at once a new process in its place, as a supervisor does; one after the other when several ask for it. */
  killAndRestart(app: App, whenKilled: () => Promise<void>): Promise<void> {
    const service = this.fleet.service(app);
    const done = (this.kills.get(app) ?? Promise.resolve()).then(async () => {
      await service.kill9();
      await Promise.all([service.restart(), whenKilled()]);
    });
    this.kills.set(
      app,
      done.catch(() => undefined),
    );
    return done;
  }
}

/** One upgrade on one world. */
export class ModelRun {
  constructor(
    readonly fleet: ModelFleet,
    readonly name: string,
    readonly world: string,
  ) {}

  async begin(): Promise<string> {
    const view = await this.fleet.api.upgrade({
      environment: this.name,
      application: this.name,
      release: `${this.name}-2.0`,
    });
    return view.id;
  }

  ledger(): Promise<LedgerLine[]> {
    return readLedger(this.world);
  }

  async effectsOf(container: string): Promise<string[]> {
    return (await this.ledger()).flatMap((line) =>
      'effect' in line && line.container === container ? [line.effect] : [],
    );
  }

  async violations(): Promise<LedgerLine[]> {
    return (await this.ledger()).filter((line) => 'violation' in line);
  }

  readWorld(): ReturnType<typeof readWorld> {
    return readWorld(this.world);
  }
}
