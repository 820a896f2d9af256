import { QueryHandlerFor, type QueryHandler } from '#bus';
import type { QueryData, QueryReply } from '#contracts';
import { ByHandService } from '../by-hand.service.js';

@QueryHandlerFor('create-backup')
export class CreateBackupHandler implements QueryHandler<'create-backup'> {
  constructor(private readonly byHand: ByHandService) {}

  handle(data: QueryData<'create-backup'>): Promise<QueryReply<'create-backup'>> {
    return this.byHand.create(data);
  }
}
