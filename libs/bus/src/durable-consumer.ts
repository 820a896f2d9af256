import type { Logger } from '@nestjs/common';
import { AckPolicy, DeliverPolicy, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import { LiftlockError } from '#kernel';
import type { Bus } from './bus.js';

/** Between two attempts to attach to a stream that is away. */
const ATTACH_AGAIN_MS = 250;

export interface DurableConsumerOptions {
  readonly stream: string;
  /** Shared by all replicas. */
  readonly name: string;
  readonly filter: string;
  /** Seconds until what is neither acknowledged nor said to be in progress is delivered again. */
  readonly ackWaitSeconds: number;
  /** Messages drawn ahead of what takes them. */
  readonly ahead: number;
  readonly logger: Logger;
}

/** One durable pull consumer, drawn from until it is stopped: made anew, and attached to anew, whenever broker or stream were away. */
export class DurableConsumer {
  private isStopped = false;
  private messages: ConsumerMessages | undefined;
  private wakeUp: (() => void) | undefined;
  private pumping: Promise<void> = Promise.resolve();

  /** @param take is awaited before the next one; what is still drawn after a stop goes through it, too. */
  constructor(
    private readonly bus: Bus,
    private readonly options: DurableConsumerOptions,
    private readonly take: (message: JsMsg) => Promise<void>,
  ) {}

  start(): void {
    this.bus.onReconnect(() => {
      // what was asked of the broker before is forgotten there, and so may be the stream
      this.messages?.stop();
      this.wakeUp?.();
    });
    this.pumping = this.pump();
  }

  /** Draws nothing new. Resolves when the last one is taken. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.messages?.stop();
    this.wakeUp?.();
    await this.pumping;
  }

  private async pump(): Promise<void> {
    const { logger, stream } = this.options;
    let isTold = false;
    while (!this.isStopped) {
      try {
        this.messages = await this.attach();
        // stopped while it was attaching: stop() had nothing to stop
        if (this.isStopped) this.messages.stop();
        if (isTold) logger.log(`attached to ${stream} again`);
        isTold = false;
        void this.watch(this.messages);
        for await (const message of this.messages) await this.take(message);
      } catch (error) {
        if (!isTold && !this.isStopped) logger.warn(`${stream} is away: ${String(error)}`);
        isTold = true;
        await this.pause();
      }
    }
  }

  private async attach(): Promise<ConsumerMessages> {
    if (!this.bus.isConnected()) throw new LiftlockError('unavailable', 'NATS is out of reach');
    const { stream, name, filter, ackWaitSeconds, ahead } = this.options;
    const manager = await this.bus.manager();
    await manager.consumers.add(stream, {
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: ackWaitSeconds * 1_000_000_000,
      filter_subject: filter,
      max_deliver: -1,
      max_ack_pending: 1_000,
    });
    const consumer = await this.bus.jetstream.consumers.get(stream, name);
    return consumer.consume({ max_messages: ahead, expires: 10_000, idle_heartbeat: 1_000 });
  }

  /** A stream or a consumer that is gone does not come back by itself: attach anew. */
  private async watch(messages: ConsumerMessages): Promise<void> {
    for await (const status of messages.status()) {
      const gone =
        status.type === 'stream_not_found' ||
        status.type === 'consumer_not_found' ||
        status.type === 'consumer_deleted' ||
        status.type === 'no_responders' ||
        (status.type === 'heartbeats_missed' && status.count >= 2);
      if (gone) messages.stop();
    }
  }

  private async pause(): Promise<void> {
    if (this.isStopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ATTACH_AGAIN_MS);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = undefined;
  }
}
