import { QueryHandlerFor, type QueryHandler } from '#bus';
import type { QueryData, QueryReply } from '#contracts';
import { GarbageService } from '../garbage.service.js';

@QueryHandlerFor('mirror-garbage')
export class MirrorGarbageHandler implements QueryHandler<'mirror-garbage'> {
  constructor(private readonly service: GarbageService) {}

  async handle(data: QueryData<'mirror-garbage'>): Promise<QueryReply<'mirror-garbage'>> {
    return { items: await this.service.garbage(data) };
  }
}
