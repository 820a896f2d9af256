import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UpgradeService } from '../upgrade.service.js';

@QueryHandlerFor('list-events')
export class ListEventsHandler implements QueryHandler<'list-events'> {
  constructor(private readonly upgrades: UpgradeService) {}

  handle(data: QueryData<'list-events'>): Promise<QueryReply<'list-events'>> {
    return this.upgrades.events(data);
  }
}
