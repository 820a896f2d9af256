import { LiftlockError } from '#kernel';
import { commandSubject, type CommandData, type CommandEnvelope } from '#contracts';
import { CommandHandlerFor, type CommandHandler } from '#bus';
import { DeadLetterNews } from '../dead-letter.news.js';
import { DispatchStore } from '../persistence/dispatch.store.js';
import { SagaService } from '../saga.service.js';

@CommandHandlerFor('dead-letter-kept')
export class DeadLetterKeptHandler implements CommandHandler<'dead-letter-kept'> {
  constructor(
    private readonly news: DeadLetterNews,
    private readonly saga: SagaService,
    private readonly dispatches: DispatchStore,
  ) {}

  async handle(data: CommandData<'dead-letter-kept'>, envelope: CommandEnvelope): Promise<void> {
    await this.news.tell(data, envelope.id);
    const { upgrade, error } = data;
    if (upgrade === undefined || !isPlanning(data.subject)) return;
    // a step has its deadline; a plan that nobody can make would be waited for for ever, and nothing was touched yet
    try {
      await this.saga.apply(upgrade, { type: 'plan-refused', error }, async (tx) => {
        await this.dispatches.answered(tx, upgrade, 'plan', 1);
        return true;
      });
    } catch (thrown) {
      if (!(thrown instanceof LiftlockError) || thrown.code !== 'not_found') throw thrown;
    }
  }
}

const isPlanning = (subject: string): boolean =>
  subject === commandSubject('compute-plan', 'planner');
