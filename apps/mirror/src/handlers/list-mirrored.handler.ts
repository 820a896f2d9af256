import { QueryHandlerFor, type QueryHandler } from '#bus';
import type { QueryData, QueryReply } from '#contracts';
import { GarbageService } from '../garbage.service.js';

@QueryHandlerFor('list-mirrored')
export class ListMirroredHandler implements QueryHandler<'list-mirrored'> {
  constructor(private readonly service: GarbageService) {}

  async handle(data: QueryData<'list-mirrored'>): Promise<QueryReply<'list-mirrored'>> {
    return { items: await this.service.list(data) };
  }
}
