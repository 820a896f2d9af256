import { QueryHandlerFor, type QueryHandler } from '#bus';
import type { QueryData, QueryReply } from '#contracts';
import { CatalogueService } from '../catalogue.service.js';

@QueryHandlerFor('get-backup')
export class GetBackupHandler implements QueryHandler<'get-backup'> {
  constructor(private readonly catalogue: CatalogueService) {}

  handle(data: QueryData<'get-backup'>): Promise<QueryReply<'get-backup'>> {
    return this.catalogue.get(data);
  }
}
