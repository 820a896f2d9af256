import type { CommandData, CommandEnvelope } from '#contracts';
import { CommandHandlerFor, type CommandHandler } from '#bus';
import { SagaService } from '../saga.service.js';

@CommandHandlerFor('step-finished')
export class StepFinishedHandler implements CommandHandler<'step-finished'> {
  constructor(private readonly saga: SagaService) {}

  async handle(data: CommandData<'step-finished'>, { id }: CommandEnvelope): Promise<void> {
    const { upgrade, stepId, token, result, startedAt, endedAt, actionMs } = data;
    const timing = { startedAt, endedAt, actionMs };
    const message = { type: 'step-finished', stepId, token, result, timing } as const;
    await this.saga.tell(upgrade, { id, message });
  }
}
