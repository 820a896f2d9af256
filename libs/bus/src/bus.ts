import { setTimeout as delay } from 'node:timers/promises';
import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import {
  jetstream,
  jetstreamManager,
  type JetStreamClient,
  type JetStreamManager,
} from '@nats-io/jetstream';
import {
  connect,
  errors,
  type Msg,
  type NatsConnection,
  type Status,
} from '@nats-io/transport-node';
import { LiftlockError, waitFor } from '#kernel';
import {
  COMMAND_STREAM,
  COMMAND_SUBJECTS,
  EVENT_STREAM,
  EVENT_SUBJECTS,
  PROGRESS,
  progressSubject,
  STREAM_OWNER,
  type App,
  type ProgressData,
  type ProgressName,
} from '#contracts';
import { parseMessage } from './parse-message.js';
import { ensureStream } from './streams.js';

export interface BusOptions {
  readonly app: App;
  readonly site: string;
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

const PUBLISH_DEADLINE_MS = 5_000;
/** How often the owner of the streams looks whether they are still there. */
const STREAM_CHECK_MS = 500;
const CONNECT_DEADLINE_MS = 30_000;
/** What is acknowledged gets this long to leave at the end. */
const FLUSH_DEADLINE_MS = 1_000;

/** The one connection to NATS that a service has. It outlasts every absence of the broker. */
export class Bus implements OnApplicationShutdown {
  private readonly logger = new Logger(Bus.name);
  private readonly client: JetStreamClient;
  private connected = true;
  private closing = false;
  private checks: NodeJS.Timeout | undefined;
  private readonly reconnected: Array<() => void> = [];
  private eventsSince: string | undefined;
  private ensuring: Promise<void> | undefined;
  private toldOfStreams = false;
  /** What waits for an answer that a broken connection will not bring. */
  private readonly waiting = new Set<(error: LiftlockError) => void>();

  private constructor(
    readonly options: BusOptions,
    readonly nats: NatsConnection,
  ) {
    this.client = jetstream(nats, { timeout: PUBLISH_DEADLINE_MS });
    void this.watch();
  }

  /** @throws LiftlockError `unavailable`, naming address and user, when NATS lets nobody in for 30 s. */
  static async open(options: BusOptions): Promise<Bus> {
    const { app, url, user, password } = options;
    const nats = await waitFor(
      () =>
        connect({
          servers: url,
          user,
          pass: password,
          name: app,
          inboxPrefix: `_INBOX_${app}`,
          maxReconnectAttempts: -1,
          reconnectTimeWait: 200,
          reconnectJitter: 50,
          // a broker that does not know its users for a moment is no reason to give up for ever
          ignoreAuthErrorAbort: true,
          pingInterval: 5_000,
          // a stack for each request, made for the error that it hardly ever ends with
          noAsyncTraces: true,
        }),
      { what: `NATS at ${url} as ${user}`, deadlineMs: CONNECT_DEADLINE_MS, everyMs: 250 },
    );
    const bus = new Bus(options, nats);
    if (app === STREAM_OWNER) {
      await bus.tryEnsureStreams();
      bus.checks = setInterval(() => void bus.tryEnsureStreams(), STREAM_CHECK_MS);
    }
    return bus;
  }

  async onApplicationShutdown(): Promise<void> {
    this.closing = true;
    clearInterval(this.checks);
    if (this.nats.isClosed()) return;
    // drain would wait for a broker that is away
    if (this.connected) {
      await Promise.race([
        this.nats.flush().catch(() => undefined),
        delay(FLUSH_DEADLINE_MS, undefined, { ref: false }),
      ]);
    }
    this.connected = false;
    await this.nats.close().catch(() => undefined);
  }

  get jetstream(): JetStreamClient {
    return this.client;
  }

  manager(): Promise<JetStreamManager> {
    return jetstreamManager(this.nats, { checkAPI: false, timeout: PUBLISH_DEADLINE_MS });
  }

  isConnected(): boolean {
    return this.connected;
  }

  onReconnect(callback: () => void): void {
    this.reconnected.push(callback);
  }

  /**
   * When the event stream was made that the broker had at the last look (RFC 3339); undefined before the first one, and in services
   * that do not look. Another time than before: it is another stream, since the broker came back empty. Who made it cannot be told:
   * the answer to that may be lost, and its maker dead.
   */
  eventStreamCreated(): string | undefined {
    return this.eventsSince;
  }

  /**
   * Publishes to JetStream and waits for the broker's acknowledgement. The same id again, within two minutes, is no second message.
   * @throws LiftlockError `unavailable`, retryable, when there is none within 5 s or the connection breaks; `misconfigured` when the
   * catalogue does not let this service send it.
   */
  async publish(message: {
    readonly subject: string;
    readonly id: string;
    readonly payload: string;
  }): Promise<void> {
    const { subject, id, payload } = message;
    if (!this.connected) throw outOfReach();
    try {
      await this.unlessCutOff(this.jetstream.publish(subject, payload, { msgID: id }));
    } catch (error) {
      if (error instanceof LiftlockError) throw error;
      if (isCausedBy(error, errors.PermissionViolationError)) {
        throw new LiftlockError(
          'misconfigured',
          `NATS forbids ${this.options.user} to publish ${subject}`,
          { cause: error },
        );
      }
      throw new LiftlockError('unavailable', `NATS has not taken ${subject}: ${String(error)}`, {
        cause: error,
      });
    }
  }

  /**
   * Says how far something is, to whoever listens now: core NATS, at most once. While the broker is away nothing is kept for later,
   * since it would be old by then.
   * @throws LiftlockError `internal` when it is not as the catalogue says.
   */
  tell<N extends ProgressName>(
    name: N,
    data: ProgressData<N> & {
      readonly environment: string;
      readonly application: string;
      readonly upgrade: string;
    },
  ): void {
    const checked = parseMessage(PROGRESS[name].data, data, 'internal', `the progress ${name}`);
    if (!this.connected || this.closing) return;
    this.nats.publish(progressSubject(name, data), JSON.stringify(checked));
  }

  /**
   * Request and reply over core NATS.
   * @throws LiftlockError `unavailable` when the connection breaks; else what the client throws.
   */
  async request(subject: string, payload: string, timeoutMs: number): Promise<Msg> {
    if (!this.connected) throw outOfReach();
    return this.unlessCutOff(this.nats.request(subject, payload, { timeout: timeoutMs }));
  }

  /** Only the coordinator may: makes the streams where they are not. Happens by itself, too. */
  ensureStreams(): Promise<void> {
    // one look at a time: a slow broker is not asked again and again
    this.ensuring ??= this.makeMissingStreams().finally(() => {
      this.ensuring = undefined;
    });
    return this.ensuring;
  }

  private async makeMissingStreams(): Promise<void> {
    if (!this.connected) return;
    const manager = await this.manager();
    const commands = await ensureStream(manager, COMMAND_STREAM, COMMAND_SUBJECTS, 2);
    const events = await ensureStream(manager, EVENT_STREAM, EVENT_SUBJECTS, 7);
    if (commands.made || events.made) this.logger.log('made the streams');
    this.eventsSince = events.created;
  }

  private async tryEnsureStreams(): Promise<void> {
    try {
      await this.ensureStreams();
      this.toldOfStreams = false;
    } catch (error) {
      if (!this.toldOfStreams && !this.closing)
        this.logger.warn(`the streams cannot be looked at: ${String(error)}`);
      this.toldOfStreams = true;
    }
  }

  private async watch(): Promise<void> {
    for await (const status of this.nats.status()) this.follow(status);
    this.connected = false;
    if (!this.closing)
      this.logger.error('the connection to NATS is closed for good: restart the service');
  }

  private follow(status: Status): void {
    switch (status.type) {
      case 'disconnect':
        this.connected = false;
        if (!this.closing) this.logger.warn('NATS is out of reach');
        for (const reject of this.waiting) reject(outOfReach());
        break;
      case 'reconnect':
        this.connected = true;
        this.logger.log('NATS is back');
        if (this.options.app === STREAM_OWNER) void this.tryEnsureStreams();
        for (const callback of this.reconnected) callback();
        break;
      case 'error':
        this.logger.error(
          status.error instanceof errors.PermissionViolationError
            ? `NATS forbids ${this.options.user} to ${status.error.operation} ${status.error.subject}: permissions come from the catalogue in #contracts`
            : `NATS: ${status.error.message}`,
        );
        break;
      default:
    }
  }

  /** The answer to what was sent before the connection broke may never come: whoever waits for it is told at once. */
  private unlessCutOff<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.waiting.add(reject);
      void work.then(resolve, reject).finally(() => this.waiting.delete(reject));
    });
  }
}

/** Whether an error, or what caused it, is of a class. */
export function isCausedBy(
  error: unknown,
  kind: abstract new (...args: never[]) => Error,
): boolean {
  return error instanceof kind || (error instanceof Error && error.cause instanceof kind);
}

function outOfReach(): LiftlockError {
  return new LiftlockError('unavailable', 'NATS is out of reach');
}
