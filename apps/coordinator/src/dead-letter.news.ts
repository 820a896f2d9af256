import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Clock } from '#kernel';
import { eventSubject, NONE, type CommandData, type EventType } from '#contracts';
import { toFleetEvent } from '#bus';
import { Inbox, Outbox, UnitOfWork } from '#persistence';
import { CLOCK } from './tokens.js';
import { UpgradeNews } from './upgrade.news.js';

const TYPE = 'message-dead-lettered' satisfies EventType;

/** Tells of messages that a service could not handle: in the history of the upgrade that they were about, else to the fleet. */
@Injectable()
export class DeadLetterNews {
  private readonly logger = new Logger(DeadLetterNews.name);

  constructor(
    private readonly work: UnitOfWork,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
    private readonly news: UpgradeNews,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async tell(letter: CommandData<'dead-letter-kept'>, reportId: string): Promise<void> {
    await this.work.run(async (tx) => {
      if (!(await this.inbox.accept(tx, reportId, 'coordinator'))) return;
      const about = `${letter.app} could not handle ${letter.subject} (${letter.messageId})`;
      this.logger.error(`${about}: ${letter.error.code}: ${letter.error.message}`);
      const { upgrade, ...data } = letter;
      const isTold = upgrade !== undefined && (await this.news.tell(tx, upgrade, TYPE, data));
      if (!isTold) await this.tellFleet(tx, letter);
    });
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
