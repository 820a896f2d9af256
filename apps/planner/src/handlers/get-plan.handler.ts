import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { PlanStore } from '../persistence/plan.store.js';

@QueryHandlerFor('get-plan')
export class GetPlanHandler implements QueryHandler<'get-plan'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly plans: PlanStore,
  ) {}

  handle({ digest, offset }: QueryData<'get-plan'>): Promise<QueryReply<'get-plan'>> {
    return this.work.run((tx) => this.plans.page(tx, digest, offset));
  }
}
