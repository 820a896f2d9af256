import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { DataSource } from 'typeorm';
import { waitFor } from '#kernel';
import { CommittedMessages } from './committed-messages.js';
import type { OutboxMessage } from './outbox-message.js';
import type { OutboxPublisher } from './outbox.js';
import { HeldKeys } from './held-keys.js';
import { BATCH, OutboxRows, type OutboxRow } from './outbox-rows.js';
import { SentMarks } from './sent-marks.js';
import { OUTBOX_PUBLISHER } from './tokens.js';

/** How often the table is looked at for what another process, or this one before a crash, has left. */
const POLL_MS = 1_000;
/** Another replica is at it: its look may have been before our commit. */
const BUSY_MS = 20;
/**
 * Milliseconds that messages with an order wait for the next ones, to go out with them: those without one, which others wait for, have
 * the machine to themselves meanwhile.
 */
const GATHER_MS = 15;
const PRUNE_MS = 600_000;
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;
/** Between two lines of the log about what cannot be sent. */
const SAY_MS = 10_000;
const LAST_FLUSH_MS = 2_000;

/**
 * Brings committed messages out, each at least once and under its own id.
 *
 * Those without an order key leave straight from memory when their transaction has been committed. The loop brings out the ones
 * with a key, and whatever was left behind. Of several replicas one at a time does so (an advisory lock of its transaction), so
 * that the order within a key holds: each row waits for the acknowledgement of the one before, so that even two relays of which
 * one lost its lock unknowingly cannot turn the first arrivals round.
 */
@Injectable()
export class Relay
  implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  private readonly logger = new Logger(Relay.name);
  private readonly rows: OutboxRows;
  private readonly marks: SentMarks;
  private readonly held = new HeldKeys();
  private refusals = 0;
  private saidAt = -Infinity;
  private readonly direct = new Set<Promise<void>>();
  private stopped = false;
  private poked = false;
  private wakeUp: (() => void) | undefined;
  private running: Promise<void> | undefined;

  constructor(
    source: DataSource,
    private readonly messages: CommittedMessages,
    @Inject(OUTBOX_PUBLISHER) private readonly publisher: OutboxPublisher,
  ) {
    this.rows = new OutboxRows(source);
    this.marks = new SentMarks(this.rows);
  }

  onApplicationBootstrap(): void {
    this.messages.onCommit((messages) => this.take(messages));
    this.running = this.loop();
  }

  /**
   * What has been committed until now is sent, if the broker is there; else the next start does it. In this phase, since in the
   * next one the connection to the broker may be closed before the relay's turn; modules have theirs in the opposite order of
   * their imports, so that whatever is imported after persistence has said its last word.
   */
  async beforeApplicationShutdown(): Promise<void> {
    const nothingWaits = async (): Promise<boolean> => {
      await Promise.all(this.direct);
      return !(await this.rows.areWaiting());
    };
    const options = { what: 'the last messages', deadlineMs: LAST_FLUSH_MS, everyMs: BUSY_MS };
    await waitFor(nothingWaits, options).catch(() => undefined);
  }

  /** What was committed since then has its chance too. */
  async onApplicationShutdown(): Promise<void> {
    this.messages.onCommit(() => undefined);
    this.stopped = true;
    this.wakeUp?.();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LAST_FLUSH_MS);
    });
    await Promise.race([
      Promise.all([this.running, ...this.direct]).then(() => this.marks.settled()),
      late,
    ]);
    clearTimeout(timer);
  }

  private take(messages: readonly OutboxMessage[]): void {
    const free = messages.filter(({ orderKey }) => orderKey === undefined);
    if (free.length < messages.length) {
      this.poked = true;
      this.wakeUp?.();
    }
    for (const message of free) {
      const sending = this.sendNow(message).finally(() => this.direct.delete(sending));
      this.direct.add(sending);
    }
  }

  private async sendNow(message: OutboxMessage): Promise<void> {
    try {
      await this.publisher.publish({
        subject: message.subject,
        id: message.id,
        payload: message.payload,
      });
      this.marks.add(message.id);
    } catch {
      // stays unsent: the loop takes it up and tells of it
    }
  }

  private async loop(): Promise<void> {
    let failures = 0;
    let prunedAt = performance.now();
    do {
      const { poked } = this;
      this.poked = false;
      try {
        const found = await this.relayBatch(poked);
        failures = 0;
        if (found === 'busy') await this.pause(BUSY_MS);
        if (found !== 'nothing') continue;
        if (performance.now() - prunedAt > PRUNE_MS) {
          prunedAt = performance.now();
          await this.rows.prune();
        }
      } catch (error) {
        failures += 1;
        const message = error instanceof Error ? error.message : String(error);
        if (failures === 1 || failures % 50 === 0)
          this.logger.warn(`outbox: ${message} (${failures} times)`);
        await this.pause(Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures, 10), MAX_RETRY_MS));
        continue;
      }
      if (!this.poked) await this.pause(Math.min(POLL_MS, this.held.untilNext()), 'wakeable');
      if (this.poked) await this.pause(GATHER_MS);
    } while (!this.stopped);
    await this.relayBatch().catch(() => undefined);
  }

  /**
   * @param isKnown something waits: that need not be asked first
   * @returns whether there may be more to do at once, or another relay is at it.
   */
  private async relayBatch(isKnown = false): Promise<'more' | 'nothing' | 'busy'> {
    if (!isKnown && !(await this.rows.areWaiting())) return 'nothing';
    return this.rows.withLock(this.held.now(), async (rows, mark) => {
      const sent = await this.publishInOrder(rows);
      await mark(sent);
      // what is committed meanwhile says so
      return rows.length === BATCH ? 'more' : 'nothing';
    });
  }

  /** Keys side by side, each one's rows one after another, up to the first that cannot be sent. */
  private async publishInOrder(rows: readonly OutboxRow[]): Promise<string[]> {
    const ids: string[] = [];
    await Promise.all(
      [...Map.groupBy(rows, ({ key }) => key)].map(async ([key, queue]) => {
        try {
          for (const row of queue) {
            await this.publisher.publish({
              subject: row.subject,
              id: row.message_id,
              payload: row.payload,
            });
            ids.push(row.message_id);
            this.held.sent(key);
          }
        } catch (error) {
          this.held.failed(key);
          this.refused(error);
        }
      }),
    );
    return ids;
  }

  private refused(error: unknown): void {
    this.refusals += 1;
    if (performance.now() - this.saidAt < SAY_MS) return;
    const message = error instanceof Error ? error.message : String(error);
    this.logger.warn(`outbox: not sent: ${message} (${this.refusals} since it was last said)`);
    this.saidAt = performance.now();
    this.refusals = 0;
  }

  /** A wait after a failure is not cut short by what is committed meanwhile, but by the end. */
  private async pause(ms: number, wakeable?: 'wakeable'): Promise<void> {
    if (this.stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wakeUp = () => {
        if (wakeable === undefined && !this.stopped) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = undefined;
  }
}
