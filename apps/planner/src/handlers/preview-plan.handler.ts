import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { PlanningService } from '../planning.service.js';

@QueryHandlerFor('preview-plan')
export class PreviewPlanHandler implements QueryHandler<'preview-plan'> {
  constructor(private readonly planning: PlanningService) {}

  async handle({ request }: QueryData<'preview-plan'>): Promise<QueryReply<'preview-plan'>> {
    return { digest: await this.planning.preview(request) };
  }
}
