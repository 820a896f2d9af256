import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { PlanningService } from '../planning.service.js';

@QueryHandlerFor('upgrade-paths')
export class UpgradePathsHandler implements QueryHandler<'upgrade-paths'> {
  constructor(private readonly planning: PlanningService) {}

  handle(names: QueryData<'upgrade-paths'>): Promise<QueryReply<'upgrade-paths'>> {
    return this.planning.paths(names);
  }
}
