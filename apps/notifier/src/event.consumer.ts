import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { JsMsg } from '@nats-io/jetstream';
import { LiftlockError } from '#kernel';
import {
  cloudEvent,
  EVENT_CONSUMER,
  EVENT_STREAM,
  EVENT_SUBJECTS,
  type LiftlockCloudEvent,
} from '#contracts';
import { Bus, DurableConsumer, keepDeadLetter } from '#bus';
import { DeadLetterRepository, Inbox, UnitOfWork } from '#persistence';
import { DeliveryWorker } from './delivery.worker.js';
import { addressOf, wants } from './domain/event-address.js';
import { DeliveryStore } from './persistence/delivery.store.js';
import { UnawaitedEvents } from './unawaited-events.js';
import { WebhookDirectory } from './webhook-directory.js';

const ACK_WAIT_SECONDS = 30;
const AHEAD = 64;
/** Before an event comes again whose webhooks could not be asked for. */
const AGAIN_MS = 1_000;

/** Makes deliveries out of the events: one durable consumer, shared by all replicas. An event is acknowledged when its deliveries are stored. */
@Injectable()
export class EventConsumer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(EventConsumer.name);
  private readonly consumer: DurableConsumer;
  private readonly underWay = new Set<Promise<void>>();
  private told: unknown;
  private closed = false;

  constructor(
    bus: Bus,
    private readonly work: UnitOfWork,
    private readonly inbox: Inbox,
    private readonly deadLetters: DeadLetterRepository,
    private readonly directory: WebhookDirectory,
    private readonly deliveries: DeliveryStore,
    private readonly unawaited: UnawaitedEvents,
    private readonly worker: DeliveryWorker,
  ) {
    this.consumer = new DurableConsumer(
      bus,
      {
        stream: EVENT_STREAM,
        name: EVENT_CONSUMER,
        filter: EVENT_SUBJECTS,
        ackWaitSeconds: ACK_WAIT_SECONDS,
        ahead: AHEAD,
        logger: this.logger,
      },
      (message) => this.take(message),
    );
  }

  onApplicationBootstrap(): void {
    this.consumer.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.closed = true;
    await this.consumer.stop();
    await Promise.all(this.underWay);
  }

  private async take(message: JsMsg): Promise<void> {
    if (this.closed) {
      // another replica may have it at once
      message.nak();
      return;
    }
    try {
      const unawaited = await this.store(message);
      if (unawaited === undefined) {
        message.ack();
        this.worker.poke();
      } else this.noteLater(message, unawaited);
    } catch (error) {
      await this.failed(message, error);
    }
  }

  /** Nothing waits for it: the next event is looked at meanwhile. */
  private noteLater(message: JsMsg, id: string): void {
    const noting = this.unawaited
      .add(id)
      .then(
        () => message.ack(),
        (error: unknown) => this.failed(message, error),
      )
      .finally(() => this.underWay.delete(noting));
    this.underWay.add(noting);
  }

  private async failed(message: JsMsg, thrown: unknown): Promise<void> {
    const error = LiftlockError.from(thrown);
    if (!error.retryable && (await this.bury(message, error))) return;
    // what failed together is told of once
    if (thrown !== this.told)
      this.logger.warn(
        `${message.subject}: ${error.code}: ${error.message}; again in ${AGAIN_MS} ms`,
      );
    this.told = thrown;
    message.nak(AGAIN_MS);
  }

  /** @returns its id, if nobody is to be told of it: then it is still to be written down. */
  private async store(message: JsMsg): Promise<string | undefined> {
    const event = readEvent(message);
    const address = addressOf(message.subject);
    if (event === undefined || address === undefined)
      throw new LiftlockError('invalid_request', `${message.subject} carries no CloudEvent`);
    const { environment, type } = address;
    const body = message.string();
    const webhooks = (await this.directory.of(environment)).filter((webhook) =>
      wants(webhook, type),
    );
    if (webhooks.length === 0) return event.id;
    await this.work.run(async (tx) => {
      // a broker that came back empty is filled again: the webhooks of today do not get the events of yesterday
      if (!(await this.inbox.accept(tx, event.id, EVENT_CONSUMER))) return;
      for (const { url, secret } of webhooks) {
        await this.deliveries.add(tx, { eventId: event.id, environment, type, url, secret, body });
      }
    });
    return undefined;
  }

  /** What can never be told to anybody is kept, and not looked at again. @returns whether it is kept. */
  private async bury(message: JsMsg, error: LiftlockError): Promise<boolean> {
    this.logger.error(`${error.code}: ${error.message}; kept as a dead letter`);
    try {
      await keepDeadLetter(this.deadLetters, message, error);
    } catch (cause) {
      this.logger.error(
        `the dead letter of ${message.subject} could not be kept: ${String(cause)}`,
      );
      return false;
    }
    message.term();
    return true;
  }
}

function readEvent(message: JsMsg): LiftlockCloudEvent | undefined {
  try {
    return cloudEvent.safeParse(message.json()).data;
  } catch {
    return undefined;
  }
}
