import type { CommandData, CommandEnvelope } from '#contracts';
import { CommandHandlerFor, type CommandHandler } from '#bus';
import { PlanningService } from '../planning.service.js';

@CommandHandlerFor('compute-plan')
export class ComputePlanHandler implements CommandHandler<'compute-plan'> {
  constructor(private readonly planning: PlanningService) {}

  handle(data: CommandData<'compute-plan'>, envelope: CommandEnvelope): Promise<void> {
    return this.planning.planFor(data, envelope);
  }
}
