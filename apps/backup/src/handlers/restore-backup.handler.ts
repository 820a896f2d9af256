import { QueryHandlerFor, type QueryHandler } from '#bus';
import type { QueryData, QueryReply } from '#contracts';
import { ByHandService } from '../by-hand.service.js';

@QueryHandlerFor('restore-backup')
export class RestoreBackupHandler implements QueryHandler<'restore-backup'> {
  constructor(private readonly byHand: ByHandService) {}

  handle(data: QueryData<'restore-backup'>): Promise<QueryReply<'restore-backup'>> {
    return this.byHand.restore(data);
  }
}
