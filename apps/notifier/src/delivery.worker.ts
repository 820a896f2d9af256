import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Counter, register } from 'prom-client';
import { nextTryInMs, type DeliveryPolicy } from './domain/delivery-policy.js';
import { DeliveryStore, type ClaimedDelivery, type Ending } from './persistence/delivery.store.js';
import { DELIVERY_POLICY } from './tokens.js';
import { placeOf } from './domain/place.js';
import { WebhookSender, type Sent } from './webhook.sender.js';

/** Deliveries under way at the same time, and of these to one receiver: a slow one does not hold up the rest. */
const SIDE_BY_SIDE = 16;
const TO_ONE_RECEIVER = 4;
const PRUNE_MS = 3_600_000;

/** Tries what is due, until it is delivered or given up. */
@Injectable()
export class DeliveryWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(DeliveryWorker.name);
  private readonly stopping = new AbortController();
  private readonly underWay = new Map<Promise<void>, string>();
  private poked = false;
  private wakeUp: (() => void) | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly deliveries: DeliveryStore,
    private readonly sender: WebhookSender,
    @Inject(DELIVERY_POLICY) private readonly policy: DeliveryPolicy,
  ) {}

  onApplicationBootstrap(): void {
    this.running = this.loop();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    this.wakeUp?.();
    await this.running;
    await Promise.allSettled(this.underWay.keys());
  }

  /** Something may be due. */
  poke(): void {
    this.poked = true;
    this.wakeUp?.();
  }

  private async loop(): Promise<void> {
    let prunedAt = performance.now();
    let told = false;
    while (!this.stopping.signal.aborted) {
      this.poked = false;
      try {
        await this.fill();
        told = false;
        if (performance.now() - prunedAt > PRUNE_MS) {
          prunedAt = performance.now();
          await this.deliveries.prune();
        }
      } catch (error) {
        if (!told) this.logger.warn(`deliveries cannot be read: ${String(error)}`);
        told = true;
      }
      if (!this.poked) await this.pause();
    }
  }

  /** Claims one at a time, up to what may be under way. */
  private async fill(): Promise<void> {
    while (this.underWay.size < SIDE_BY_SIDE && !this.stopping.signal.aborted) {
      const delivery = await this.deliveries.claim(this.policy.leaseMs, this.busyUrls());
      if (delivery === undefined) return;
      const work = this.deliver(delivery).finally(() => {
        this.underWay.delete(work);
        this.poke();
      });
      this.underWay.set(work, delivery.url);
    }
  }

  private busyUrls(): string[] {
    const urls = [...this.underWay.values()];
    return [...new Set(urls)].filter(
      (url) => urls.filter((other) => other === url).length >= TO_ONE_RECEIVER,
    );
  }

  private async deliver(delivery: ClaimedDelivery): Promise<void> {
    try {
      const sent: Sent =
        delivery.attempts > this.policy.maxAttempts
          ? { ok: false, error: 'the notifier ended during its last try', forGood: true }
          : await this.sender.send(delivery, this.stopping.signal);
      const ending = this.endingOf(delivery, sent);
      if (!(await this.deliveries.end(delivery, ending))) return;
      outcomes.inc({ outcome: ending.state === 'pending' ? 'retried' : ending.state });
      if (ending.state === 'failed') {
        this.logger.error(
          `webhook ${placeOf(delivery.url)} of ${delivery.environment} did not get ${delivery.type} (${delivery.eventId}), ` +
            `given up after ${delivery.attempts} of ${this.policy.maxAttempts} tries: ${ending.error}`,
        );
      }
    } catch (error) {
      // its lease ends, and then it is tried again
      this.logger.warn(`delivery ${delivery.id}: its result could not be stored: ${String(error)}`);
    }
  }

  private endingOf(delivery: ClaimedDelivery, sent: Sent): Ending {
    if (sent.ok) return { state: 'delivered', status: sent.status };
    // a try that our own end cut short is made again by whoever comes next
    if (this.stopping.signal.aborted && sent.status === undefined && !sent.forGood) {
      return { state: 'pending', status: undefined, error: sent.error, againInMs: 0 };
    }
    const againInMs = sent.forGood
      ? undefined
      : nextTryInMs(this.policy, delivery.attempts, sent.retryAfterMs);
    if (againInMs === undefined) return { state: 'failed', status: sent.status, error: sent.error };
    return { state: 'pending', status: sent.status, error: sent.error, againInMs };
  }

  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.policy.pollMs);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.stopping.signal.aborted) this.wakeUp();
    });
    this.wakeUp = undefined;
  }
}

const NAME = 'liftlock_webhook_tries_total';
const known = register.getSingleMetric(NAME);
const outcomes =
  known instanceof Counter
    ? known
    : new Counter({
        name: NAME,
        help: 'Tries at webhooks, by what became of them',
        labelNames: ['outcome'],
      });
