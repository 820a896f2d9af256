import { QueryHandlerFor, type QueryHandler } from '#bus';
import type { QueryData, QueryReply } from '#contracts';
import { RetentionService } from '../retention.service.js';

@QueryHandlerFor('prunable-backups')
export class PrunableBackupsHandler implements QueryHandler<'prunable-backups'> {
  constructor(private readonly retention: RetentionService) {}

  handle(data: QueryData<'prunable-backups'>): Promise<QueryReply<'prunable-backups'>> {
    return this.retention.prunable(data);
  }
}
