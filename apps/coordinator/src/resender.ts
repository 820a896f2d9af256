import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '#kernel';
import { EVENT_STREAM } from '#contracts';
import { Outbox, UnitOfWork } from '#persistence';
import { resendAfterMs } from './domain/dispatch.js';
import { DispatchStore } from './persistence/dispatch.store.js';
import { RefillStore } from './persistence/refill.store.js';
import { SagaOutput } from './saga-output.js';
import { CLOCK, SWEEP_MS } from './tokens.js';

const BATCH = 100;

/** Sends again what a broker may have lost. */
@Injectable()
export class Resender {
  constructor(
    private readonly work: UnitOfWork,
    private readonly dispatches: DispatchStore,
    private readonly output: SagaOutput,
    private readonly outbox: Outbox,
    private readonly refills: RefillStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SWEEP_MS) private readonly sweepMs: number,
  ) {}

  /** Commands without an answer, with a new id: to the service they mean "have you an answer?" */
  async sendAgain(): Promise<void> {
    await this.work.run(async (tx) => {
      const now = this.clock.now();
      for (const dispatch of await this.dispatches.overdue(tx, now, BATCH)) {
        await this.output.sendAgain(tx, dispatch, now);
        const next = new Date(now.getTime() + resendAfterMs(dispatch.sends + 1, this.sweepMs));
        await this.dispatches.sentAgain(tx, dispatch, next);
      }
    });
  }

  /**
   * After the broker came back empty: the events that are still kept are published again, under their old ids.
   * @param created when the stream was made that the broker has now. Nothing happens for the one that was last refilled.
   */
  async refillEvents(created: string): Promise<void> {
    await this.work.run(async (tx) => {
      if (await this.refills.begin(tx, EVENT_STREAM, created))
        await this.outbox.resend(tx, { subjectPrefix: 'liftlock.event.' });
    });
  }
}
