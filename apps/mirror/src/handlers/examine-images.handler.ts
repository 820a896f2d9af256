import { QueryHandlerFor, type QueryHandler } from '#bus';
import type { QueryData, QueryReply } from '#contracts';
import { ExamineService } from '../examine.service.js';

@QueryHandlerFor('examine-images')
export class ExamineImagesHandler implements QueryHandler<'examine-images'> {
  constructor(private readonly service: ExamineService) {}

  handle(data: QueryData<'examine-images'>): Promise<QueryReply<'examine-images'>> {
    return this.service.examine(data);
  }
}
