import { Inject, Logger } from '@nestjs/common';
import type { Clock } from '#kernel';
import { eventSubject, NONE, type CommandData, type CommandEnvelope } from '#contracts';
import { CommandHandlerFor, toEnvironmentEvent, type CommandHandler } from '#bus';
import { Inbox, Outbox, UnitOfWork } from '#persistence';
import { CLOCK } from '../tokens.js';
import { UpgradeNews } from '../upgrade.news.js';

/** In the history of the upgrade that the backup was made for; of one that was asked for by itself to the environment alone. */
@CommandHandlerFor('backup-found-damaged')
export class BackupFoundDamagedHandler implements CommandHandler<'backup-found-damaged'> {
  private readonly logger = new Logger(BackupFoundDamagedHandler.name);

  constructor(
    private readonly work: UnitOfWork,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
    private readonly news: UpgradeNews,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async handle(
    data: CommandData<'backup-found-damaged'>,
    envelope: CommandEnvelope,
  ): Promise<void> {
    const { environment, application, set, ...found } = data;
    await this.work.run(async (tx) => {
      if (!(await this.inbox.accept(tx, envelope.id, 'coordinator'))) return;
      this.logger.error(`${found.location} is damaged: ${found.problem}`);
      if (await this.news.tell(tx, set, 'backup-damaged', { set, ...found })) return;
      const event = toEnvironmentEvent(
        'backup-damaged',
        { set, ...found },
        { environment, application, id: envelope.id, at: this.clock.now() },
      );
      await this.outbox.add(tx, {
        subject: eventSubject(environment, application, NONE, 'backup-damaged'),
        id: event.id,
        payload: JSON.stringify(event),
      });
    });
  }
}
