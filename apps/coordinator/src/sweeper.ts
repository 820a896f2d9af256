import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { LiftlockError, repeat, type Clock, type Repeated } from '#kernel';
import { Bus } from '#bus';
import { UnitOfWork } from '#persistence';
import { TimerStore, type DueTimer } from './persistence/timer.store.js';
import { Resender } from './resender.js';
import { SagaService } from './saga.service.js';
import { CLOCK, SWEEP_MS } from './tokens.js';

/** How often timers are looked at, in milliseconds: the finest that a back-off or a bake can be. */
const TIMER_MS = 100;
/** The same of admissions and windows, which nobody waits for to the moment. */
const OWN_TIMER_MS = 500;
const BATCH = 100;
/** Admissions and windows that are looked at at the same time. */
const SIDE_BY_SIDE = 8;
/** How often it is looked whether the event stream is another one than was last refilled. */
const REFILL_MS = 500;
/** What was cut off from the broker, the database or a coordinator gets this long to answer, once it is back. */
const AFTER_RECONNECT_MS = 30_000;

/** Finds from PostgreSQL what is due, and what has no answer: nothing hangs on a message, a job or a process that may be gone. */
@Injectable()
export class Sweeper implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(Sweeper.name);
  private readonly loops: Repeated[] = [];
  /** What was told while this process, the database or the broker was away is read first: no deadline strikes before they were put off. */
  private areDeadlinesHeld = true;
  /** The event stream that is known to be refilled, by when it was made. */
  private refilled: string | undefined;

  constructor(
    private readonly work: UnitOfWork,
    private readonly saga: SagaService,
    private readonly timers: TimerStore,
    private readonly resender: Resender,
    private readonly bus: Bus,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SWEEP_MS) private readonly sweepMs: number,
  ) {}

  onApplicationBootstrap(): void {
    this.bus.onReconnect(() => {
      this.areDeadlinesHeld = true;
    });
    this.every(TIMER_MS, 'timers', () => this.fireTimers());
    this.every(OWN_TIMER_MS, 'admissions and windows', () => this.fireOwnTimers());
    this.every(REFILL_MS, 'refill the event stream', () => this.refillEvents());
    this.every(this.sweepMs, 'sweep', () => this.resender.sendAgain());
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.end()));
  }

  private async fireTimers(): Promise<void> {
    const isConnected = this.bus.isConnected();
    try {
      if (isConnected && this.areDeadlinesHeld) await this.postponeDeadlines();
      const due = await this.work.single((tx) =>
        this.timers.due(tx, this.clock.now(), isConnected && !this.areDeadlinesHeld, BATCH),
      );
      for (const timer of due) await this.fire(timer);
    } catch (error) {
      this.areDeadlinesHeld = true;
      throw error;
    }
  }

  private async postponeDeadlines(): Promise<void> {
    this.areDeadlinesHeld = false;
    const notBefore = new Date(this.clock.now().getTime() + AFTER_RECONNECT_MS);
    await this.work.single((db) => this.timers.postponeDeadlines(db, notBefore));
  }

  private async refillEvents(): Promise<void> {
    const created = this.bus.eventStreamCreated();
    if (created === undefined || created === this.refilled) return;
    await this.resender.refillEvents(created);
    this.refilled = created;
  }

  /** Several at the same time: each may wait for the planner's answer, and holds nothing meanwhile. */
  private async fireOwnTimers(): Promise<void> {
    const due = await this.work.single((tx) => this.timers.ownDue(tx, this.clock.now(), BATCH));
    for (let first = 0; first < due.length; first += SIDE_BY_SIDE)
      await Promise.all(due.slice(first, first + SIDE_BY_SIDE).map((timer) => this.fire(timer)));
  }

  /** One that fails is logged, stays due, and keeps none behind it waiting. */
  private async fire(timer: DueTimer): Promise<void> {
    try {
      await this.saga.apply(timer.upgrade, timer.message, (tx) =>
        this.timers.take(tx, timer, this.clock.now()),
      );
    } catch (error) {
      const { code, message } = LiftlockError.from(error);
      if (code === 'unavailable') this.areDeadlinesHeld = true;
      this.logger.warn(`timer ${timer.key} of ${timer.upgrade}: ${code}: ${message}`);
    }
  }

  /** One that fails is logged, and the next one comes. */
  private every(ms: number, what: string, look: () => Promise<void>): void {
    const loop = repeat(ms, look, (error) => {
      const { code, message } = LiftlockError.from(error);
      this.logger.warn(`${what}: ${code}: ${message}`);
    });
    this.loops.push(loop);
  }
}
