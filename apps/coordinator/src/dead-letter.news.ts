import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { LiftlockError, type Clock } from '#kernel';
import {
  eventSubject,
  NONE,
  type CommandData,
  type EventData,
  type EventType,
  type HistoryEvent,
} from '#contracts';
import { toFleetEvent } from '#bus';
import { Inbox, Outbox, UnitOfWork } from '#persistence';
import type { UpgradeRecord } from './domain/upgrade-view.js';
import { UpgradeStore } from './persistence/upgrade.store.js';
import { SagaOutput } from './saga-output.js';
import { CLOCK } from './tokens.js';

const TYPE = 'message-dead-lettered' satisfies EventType;

/** Tells of messages that a service could not handle: in the history of the upgrade that they were about, else to the fleet. */
@Injectable()
export class DeadLetterNews {
  private readonly logger = new Logger(DeadLetterNews.name);

  constructor(
    private readonly work: UnitOfWork,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
    private readonly upgrades: UpgradeStore,
    private readonly output: SagaOutput,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async tell(letter: CommandData<'dead-letter-kept'>, reportId: string): Promise<void> {
    await this.work.run(async (tx) => {
      if (!(await this.inbox.accept(tx, reportId, 'coordinator'))) return;
      const about = `${letter.app} could not handle ${letter.subject} (${letter.messageId})`;
      this.logger.error(`${about}: ${letter.error.code}: ${letter.error.message}`);
      const record = await this.recordOf(tx, letter.upgrade);
      if (record === undefined) await this.tellFleet(tx, letter);
      else await this.tellUpgrade(tx, record, letter);
    });
  }

  private async recordOf(
    tx: EntityManager,
    upgrade: string | undefined,
  ): Promise<UpgradeRecord | undefined> {
    if (upgrade === undefined) return undefined;
    try {
      return await this.upgrades.getForUpdate(tx, upgrade);
    } catch (error) {
      if (error instanceof LiftlockError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  /** A line of history and no transition: an upgrade that has ended keeps its end. */
  private async tellUpgrade(
    tx: EntityManager,
    before: UpgradeRecord,
    letter: CommandData<'dead-letter-kept'>,
  ): Promise<void> {
    const now = this.clock.now();
    const { upgrade: _upgrade, ...data } = letter;
    const event: HistoryEvent = {
      upgrade: before.id,
      sequence: before.lastSequence + 1,
      type: TYPE,
      at: now.toISOString(),
      data: data satisfies EventData<typeof TYPE>,
    };
    const record = {
      ...before,
      version: before.version + 1,
      lastSequence: event.sequence,
      updatedAt: now,
    };
    await this.upgrades.compareAndSet(tx, before, record);
    await this.output.history(tx, record, [event]);
  }

  private async tellFleet(
    tx: EntityManager,
    letter: CommandData<'dead-letter-kept'>,
  ): Promise<void> {
    const event = toFleetEvent(letter, this.clock.now());
    await this.outbox.add(tx, {
      subject: eventSubject(NONE, letter.app, NONE, TYPE),
      id: event.id,
      payload: JSON.stringify(event),
    });
  }
}
