import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { LiftlockError, type Clock } from '#kernel';
import { isFinal, type HistoryEvent, type Plan } from '#contracts';
import { Inbox } from '#persistence';
import {
  advance,
  approvalsOf,
  inFlight,
  type Refusal,
  type Saga,
  type SagaCommand,
  type SagaEvent,
  type SagaMessage,
} from '#saga';
import { AdmissionService } from './admission.service.js';
import { openingOf, skipsFreezes, type FreezesNow } from './domain/plan-opening.js';
import type { UpgradeRecord } from './domain/upgrade-view.js';
import { beganUnderWindows, watchesWindow, windowNews } from './domain/window-news.js';
import { FreezeAwareWork, insistOnFreezes } from './freeze-aware.work.js';
import { LockStore } from './persistence/lock.store.js';
import { PlanCache } from './persistence/plan.cache.js';
import { TimerStore, type OwnMessage } from './persistence/timer.store.js';
import { UpgradeStore } from './persistence/upgrade.store.js';
import { PromotionService, refusalOf } from './promotion.service.js';
import { SagaOutput } from './saga-output.js';
import { TurnQueue } from './turn-queue.js';
import { CLOCK } from './tokens.js';

export interface Applied {
  readonly record: UpgradeRecord;
  readonly plan: Plan | undefined;
  readonly refused: Refusal | undefined;
}

/** What a step's service told: a message of the engine, under the id that it came with. */
export interface StepNews {
  readonly id: string;
  readonly message: Extract<SagaMessage, { type: 'step-started' | 'step-finished' }>;
}

const INBOX = 'coordinator';

/** Carries the engine's answers out: state, history, commands and timers in the one transaction that the message is handled in. */
@Injectable()
export class SagaService {
  private readonly logger = new Logger(SagaService.name);
  private readonly told = new TurnQueue<StepNews>((upgrade, news) =>
    this.applyTogether(upgrade, news),
  );

  constructor(
    private readonly work: FreezeAwareWork,
    private readonly upgrades: UpgradeStore,
    private readonly plans: PlanCache,
    private readonly admission: AdmissionService,
    private readonly promotions: PromotionService,
    private readonly locks: LockStore,
    private readonly inbox: Inbox,
    private readonly timers: TimerStore,
    private readonly output: SagaOutput,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Gives a message to an upgrade's engine. Everything that follows is stored, or nothing.
   * @param message what it is told, or what makes that of the upgrade as it is when its turn has come.
   * @param once makes sure, in the same transaction, that the message counts once; false: it was seen before.
   */
  async apply(
    upgrade: string,
    message: SagaMessage | OwnMessage | ((record: UpgradeRecord, now: Date) => SagaMessage),
    once?: (tx: EntityManager) => Promise<boolean>,
  ): Promise<Applied | undefined> {
    return this.work.run(async (tx, freezes) => {
      const [first, before] = await Promise.all([
        once?.(tx) ?? true,
        this.upgrades.getForUpdate(tx, upgrade),
      ]);
      if (!first) return undefined;
      const plan =
        before.planDigest === undefined ? undefined : await this.plans.get(tx, before.planDigest);
      const told = typeof message === 'function' ? message(before, this.clock.now()) : message;
      return this.applyIn(tx, before, plan, [told], freezes);
    });
  }

  /** What a step's service told counts once; with what else is told of the upgrade meanwhile it is handled in one transaction. */
  async tell(upgrade: string, news: StepNews): Promise<void> {
    await this.told.add(upgrade, news);
  }

  private async applyTogether(upgrade: string, news: readonly StepNews[]): Promise<void> {
    // one that was delivered again may be among them twice
    const byId = new Map(news.map(({ id, message }) => [id, message]));
    await this.work.run(async (tx, freezes) => {
      const [fresh, before] = await Promise.all([
        this.inbox.acceptAll(tx, [...byId.keys()], INBOX),
        this.upgrades.getForUpdate(tx, upgrade),
      ]);
      const messages = [...byId].filter(([id]) => fresh.has(id)).map(([, message]) => message);
      if (messages.length === 0) return;
      const plan =
        before.planDigest === undefined ? undefined : await this.plans.get(tx, before.planDigest);
      const { refused } = await this.applyIn(tx, before, plan, messages, freezes);
      // steps do not ask: what they tell was accepted, and must not be dropped
      if (refused !== undefined)
        throw new LiftlockError(
          'internal',
          `${upgrade} refused what a step told: ${refused.message}`,
        );
    });
  }

  /** The planner's answer: the plan is stored with the upgrade from here on. */
  async applyPlan(
    upgrade: string,
    digest: string,
    plan: Plan,
    once: (tx: EntityManager) => Promise<boolean>,
  ): Promise<void> {
    // a large plan is not to be stored twice, and what nobody has to approve is admitted next
    const isNext = approvalsOf(plan) === undefined && !skipsFreezes(plan);
    const ahead = isNext ? plan.environment : undefined;
    await this.work.run(async (tx, freezes) => {
      const [first, before] = await Promise.all([
        once(tx),
        this.upgrades.getForUpdate(tx, upgrade),
      ]);
      if (!first || before.saga.state !== 'planning') return;
      await this.upgrades.savePlan(tx, digest, plan);
      const planShape = await this.promotions.shapeOf(tx, plan, before.request.continues);
      // so that nobody is asked to approve what can never begin
      const look = this.promotions.look(tx, plan, { shape: planShape }, this.clock.now());
      const error = refusalOf(await look);
      await this.applyIn(
        tx,
        { ...before, planDigest: digest, planShape },
        plan,
        [error === undefined ? { type: 'planned' } : { type: 'plan-refused', error }],
        freezes,
      );
    }, ahead);
  }

  private async applyIn(
    tx: EntityManager,
    before: UpgradeRecord,
    plan: Plan | undefined,
    messages: ReadonlyArray<SagaMessage | OwnMessage>,
    freezes: FreezesNow | undefined,
  ): Promise<Applied> {
    const now = this.clock.now();
    let { saga } = before;
    const events: SagaEvent[] = [];
    const commands: SagaCommand[] = [];
    let looksAtWindow = false;
    for (const message of messages) {
      const queue: SagaMessage[] = [];
      const news = windowNews(saga, plan, now, freezes);
      // what is shut may be so by a freeze that the plan does not have
      if (news?.type === 'window-opened' && plan !== undefined) insistOnFreezes(plan, freezes);
      if (news !== undefined) queue.push(news);
      looksAtWindow ||= news !== undefined || message.type === 'window-due';
      let admit = message.type === 'admit-again';
      if (message.type !== 'admit-again' && message.type !== 'window-due') queue.push(message);

      while (queue.length > 0 || admit) {
        if (admit) {
          admit = false;
          if (saga.state !== 'scheduled' || plan === undefined) continue;
          const answer = await this.admission.ask(tx, before, plan, now, freezes);
          if (answer !== undefined) queue.push(answer);
          continue;
        }
        const next = queue.shift();
        if (next === undefined) continue;
        const result = advance(saga, next, plan);
        if (result.refused !== undefined) return { record: before, plan, refused: result.refused };
        if (plan !== undefined && beganUnderWindows(plan, result.events))
          insistOnFreezes(plan, freezes);
        saga = result.saga;
        events.push(...result.events);
        commands.push(...result.commands);
        admit = result.commands.some((command) => command.type === 'admit');
      }
    }

    // what has ended takes everything in, and changes no more
    if (isFinal(before.saga.state)) return { record: before, plan, refused: undefined };
    const history = events.map((event, index): HistoryEvent => ({
      upgrade: before.id,
      sequence: before.lastSequence + index + 1,
      type: event.type,
      at: now.toISOString(),
      data: event.data,
    }));
    const record: UpgradeRecord = {
      ...before,
      saga,
      version: before.version + 1,
      lastSequence: before.lastSequence + history.length,
      updatedAt: now,
      message: messageOf(events, before.message),
      endedAt: isFinal(saga.state) ? (before.endedAt ?? now) : undefined,
    };
    // Begun together, so that they make one round trip; if the first finds that somebody was faster, none of them counts. Each is begun
    // at once: a statement that came only after the transaction was rolled back would stand alone.
    await Promise.all([
      this.upgrades.compareAndSet(tx, before, record),
      this.output.history(tx, record, history),
      this.settle(tx, before.id, saga, messages),
      this.output.commands(tx, record, plan, commands, now),
      looksAtWindow || saga.state !== before.saga.state
        ? this.watchWindow(tx, record, plan, now, freezes)
        : undefined,
      commands.some((command) => command.type === 'release-locks')
        ? this.locks.release(tx, before.id)
        : undefined,
    ]);
    if (isFinal(saga.state) && !isFinal(before.saga.state))
      this.logger.log(`upgrade ${before.id} ended: ${saga.state}`);
    return { record, plan, refused: undefined };
  }

  /** Looks again when its window opens or closes next. */
  private async watchWindow(
    tx: EntityManager,
    { id, saga }: UpgradeRecord,
    plan: Plan | undefined,
    now: Date,
    freezes: FreezesNow | undefined,
  ): Promise<void> {
    if (!watchesWindow(saga, plan)) return;
    const { lookAt: dueAt } = openingOf(plan, freezes, now);
    if (dueAt === undefined) return;
    await this.timers.set(tx, id, [{ dueAt, message: { type: 'window-due' } }]);
  }

  private async settle(
    tx: EntityManager,
    upgrade: string,
    saga: Saga,
    messages: ReadonlyArray<SagaMessage | OwnMessage>,
  ): Promise<void> {
    const settled = messages.flatMap((message) => {
      if (message.type !== 'step-finished' && message.type !== 'deadline') return [];
      const progress = saga.steps[message.stepId];
      if (progress === undefined || inFlight(progress)) return [];
      return [{ stepId: message.stepId, token: progress.token }];
    });
    await this.output.settled(tx, upgrade, settled);
  }
}

/** The last thing that was said about where it stands; what it waited for is no more when it runs again. */
function messageOf(events: readonly SagaEvent[], before: string | undefined): string | undefined {
  const change = events.findLast(({ type }) => type === 'upgrade-state-changed');
  if (change?.data.to === 'running' && change.data.message === undefined) return undefined;
  const said = events.findLast(
    (event) => event.type === 'upgrade-state-changed' && typeof event.data.message === 'string',
  );
  return said === undefined ? before : String(said.data.message);
}
