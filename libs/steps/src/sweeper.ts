import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { LiftlockError, repeat, type Repeated } from '#kernel';
import { Outbox, UnitOfWork } from '#persistence';
import { Answers } from './answers.js';
import { ClaimStore } from './claim.store.js';
import {
  keyText,
  STEP_QUEUE,
  STEPS_OPTIONS,
  type StepQueue,
  type StepsOptions,
} from './options.js';
import { Revocations } from './revocations.js';

const BATCH = 100;

/** Finds, from PostgreSQL alone, attempts whose owner died and jobs that a queue has lost. Any replica may. */
@Injectable()
export class StepSweeper implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(StepSweeper.name);
  private sweeps: Repeated | undefined;

  constructor(
    private readonly work: UnitOfWork,
    private readonly claims: ClaimStore,
    private readonly answers: Answers,
    private readonly revocations: Revocations,
    private readonly outbox: Outbox,
    @Inject(STEP_QUEUE) private readonly queue: StepQueue,
    @Inject(STEPS_OPTIONS) private readonly options: StepsOptions,
  ) {}

  onApplicationBootstrap(): void {
    this.sweeps = repeat(
      this.options.sweepMs,
      () => this.sweep(),
      (error) => this.logger.warn(`sweep: ${LiftlockError.from(error).message}`),
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await this.sweeps?.end();
  }

  async sweep(): Promise<void> {
    await this.work.run(async (tx) => {
      for (const claim of await this.claims.expired(tx, BATCH)) {
        if (claim.state === 'revoking') {
          await this.revocations.grant(tx, { ...claim, began: true });
          continue;
        }
        const error = {
          code: 'lost',
          message: 'the process that ran the attempt is gone',
          retryable: false,
        } as const;
        const stored = {
          result: { outcome: 'lost', error },
          attempt: claim.command.attempt,
          endedAt: new Date().toISOString(),
        } as const;
        await this.claims.markLost(tx, claim, stored);
        await this.outbox.add(tx, this.answers.finished(claim, stored));
        this.logger.warn(`${keyText(claim)}: its process is gone`);
      }
    });
    const forgotten = await this.work.run((tx) =>
      this.claims.forgotten(tx, this.options.sweepMs, BATCH),
    );
    for (const key of forgotten) await this.queue.enqueue(keyText(key));
  }
}
