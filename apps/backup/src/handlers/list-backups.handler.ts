import { QueryHandlerFor, type QueryHandler } from '#bus';
import type { QueryData, QueryReply } from '#contracts';
import { CatalogueService } from '../catalogue.service.js';

@QueryHandlerFor('list-backups')
export class ListBackupsHandler implements QueryHandler<'list-backups'> {
  constructor(private readonly catalogue: CatalogueService) {}

  async handle(data: QueryData<'list-backups'>): Promise<QueryReply<'list-backups'>> {
    return { items: await this.catalogue.list(data) };
  }
}
