import type { CommandData, CommandEnvelope } from '#contracts';
import { CommandHandlerFor, type CommandHandler } from '#bus';
import { SagaService } from '../saga.service.js';

@CommandHandlerFor('step-started')
export class StepStartedHandler implements CommandHandler<'step-started'> {
  constructor(private readonly saga: SagaService) {}

  async handle(data: CommandData<'step-started'>, { id }: CommandEnvelope): Promise<void> {
    const { upgrade, stepId, token, owner } = data;
    await this.saga.tell(upgrade, { id, message: { type: 'step-started', stepId, token, owner } });
  }
}
