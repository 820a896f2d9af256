import { QueryHandlerFor, type QueryHandler } from '#bus';
import type { QueryData, QueryReply } from '#contracts';
import { GarbageService } from '../garbage.service.js';

@QueryHandlerFor('delete-mirrored')
export class DeleteMirroredHandler implements QueryHandler<'delete-mirrored'> {
  constructor(private readonly service: GarbageService) {}

  async handle(data: QueryData<'delete-mirrored'>): Promise<QueryReply<'delete-mirrored'>> {
    return { items: await this.service.delete(data) };
  }
}
