import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Msg, Subscription } from '@nats-io/transport-node';
import {
  eventSubject,
  FINAL_STATES,
  PROGRESS,
  progressSubject,
  type EventType,
  type UpgradeProgress,
} from '#contracts';
import { Bus } from '#bus';
import { TransferBoard } from './transfer-board.js';

/** Milliseconds between two looks at what was heard. */
const EVERY_MS = 1_000;
/** What was not heard of for so long is forgotten, even where its end was not heard. */
const FORGET_MS = 3_600_000;
/** Upgrades that are remembered. */
const MAX_BOARDS = 1_000;
const ENDS = FINAL_STATES.map((state) => `upgrade-${state.replaceAll('_', '-')}` as EventType);
/** Where the upgrade stands in `liftlock.event.<environment>.<application>.<upgrade>.<type>` */
const UPGRADE_TOKEN = 4;

/**
 * Hears how far transfers are, of all upgrades, so that who begins to watch sees what is done already; an upgrade that has ended is forgotten. It lives in this process alone:
 * another replica, or the same one after a restart, knows what it has heard itself.
 */
@Injectable()
export class ProgressFeed implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(ProgressFeed.name);
  private readonly boards = new Map<string, TransferBoard>();
  private subscriptions: readonly Subscription[] = [];

  constructor(private readonly bus: Bus) {}

  onModuleInit(): void {
    const all = { environment: '*', application: '*', upgrade: '*' };
    this.subscriptions = [
      this.subscribe(progressSubject('step-transfer', all), (message) => this.hear(message)),
      ...ENDS.map((type) =>
        this.subscribe(eventSubject('*', '*', '*', type), ({ subject }) => {
          this.boards.delete(subject.split('.')[UPGRADE_TOKEN] ?? '');
        }),
      ),
    ];
  }

  onModuleDestroy(): void {
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  /**
   * Shows how far an upgrade's transfers are, at most once a second and only when that has changed.
   * @param show says whether it could take it; what it could not is not kept: the next is as good
   * @returns ends it
   */
  follow(upgrade: string, show: (progress: UpgradeProgress) => boolean): () => void {
    let shown = '';
    const timer = setInterval(() => {
      const view = this.boards.get(upgrade)?.view(performance.now());
      if (view === undefined || (shown === '' && view.steps.length === 0)) return;
      const text = JSON.stringify(view);
      if (text === shown) return;
      if (show({ upgrade, at: new Date().toISOString(), ...view })) shown = text;
    }, EVERY_MS);
    return () => clearInterval(timer);
  }

  private subscribe(subject: string, take: (message: Msg) => void): Subscription {
    return this.bus.nats.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null)
          this.logger.warn(`how far transfers are is not heard: ${error.message}`);
        else take(message);
      },
    });
  }

  private hear(message: Msg): void {
    try {
      const said = PROGRESS['step-transfer'].data.parse(message.json());
      const now = performance.now();
      this.boardOf(said.upgrade, now).hear(said, now);
    } catch (error) {
      // a newer service may say other things
      this.logger.debug(`${message.subject} is not as the catalogue says: ${String(error)}`);
    }
  }

  private boardOf(upgrade: string, now: number): TransferBoard {
    const known = this.boards.get(upgrade);
    if (known !== undefined) return known;
    for (const [other, board] of this.boards)
      if (board.isSilentFor(FORGET_MS, now)) this.boards.delete(other);
    const [oldest] = this.boards.keys();
    if (this.boards.size >= MAX_BOARDS && oldest !== undefined) this.boards.delete(oldest);
    const board = new TransferBoard();
    this.boards.set(upgrade, board);
    return board;
  }
}
