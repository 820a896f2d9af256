import { QueryHandlerFor, type QueryHandler } from '#bus';
import type { QueryData, QueryReply } from '#contracts';
import { RetentionService } from '../retention.service.js';

@QueryHandlerFor('delete-backup')
export class DeleteBackupHandler implements QueryHandler<'delete-backup'> {
  constructor(private readonly retention: RetentionService) {}

  handle(data: QueryData<'delete-backup'>): Promise<QueryReply<'delete-backup'>> {
    return this.retention.delete(data);
  }
}
