import { Injectable } from '@nestjs/common';
import { LiftlockError, digestOf } from '#kernel';
import { MOST_PLAN_PAGES, plan, type Plan, type QueryReply } from '#contracts';
import { QueryClient } from '#bus';

/** Reads a plan from the planner, page by page, and makes sure that it is the one that its digest names. */
@Injectable()
export class PlanReader {
  constructor(private readonly queries: QueryClient) {}

  async read(digest: string): Promise<Plan> {
    let text = '';
    let offset: number | undefined = 0;
    for (let page = 0; offset !== undefined && page < MOST_PLAN_PAGES; page += 1) {
      const reply: QueryReply<'get-plan'> = await this.queries.ask('get-plan', { digest, offset });
      text += reply.text;
      offset = reply.nextOffset;
    }
    const read = plan.parse(JSON.parse(text));
    const found = digestOf(JSON.parse(text));
    if (found !== digest) {
      throw new LiftlockError('internal', `the planner gave ${found} for plan ${digest}`, {
        retryable: false,
      });
    }
    return read;
  }
}
