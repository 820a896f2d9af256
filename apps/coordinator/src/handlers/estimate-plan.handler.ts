import { Inject } from '@nestjs/common';
import type { Clock } from '#kernel';
import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { estimateOf } from '../domain/estimate.js';
import { DurationStore } from '../persistence/duration.store.js';
import { PromotionService } from '../promotion.service.js';
import { CLOCK } from '../tokens.js';
import { PlanReader } from '../plan.reader.js';

@QueryHandlerFor('estimate-plan')
export class EstimatePlanHandler implements QueryHandler<'estimate-plan'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly plans: PlanReader,
    private readonly durations: DurationStore,
    private readonly promotions: PromotionService,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async handle({
    digest,
    continues,
  }: QueryData<'estimate-plan'>): Promise<QueryReply<'estimate-plan'>> {
    const plan = await this.plans.read(digest);
    const [known, promotion] = await this.work.single(async (db) => [
      await this.durations.of(db, plan.environment, plan.application),
      await this.promotions.look(db, plan, { continues }, this.clock.now()),
    ]);
    return { ...estimateOf(plan, known), ...(promotion === undefined ? {} : { promotion }) };
  }
}
