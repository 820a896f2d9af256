import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UpgradeService } from '../upgrade.service.js';

@QueryHandlerFor('list-upgrades')
export class ListUpgradesHandler implements QueryHandler<'list-upgrades'> {
  constructor(private readonly upgrades: UpgradeService) {}

  handle(data: QueryData<'list-upgrades'>): Promise<QueryReply<'list-upgrades'>> {
    return this.upgrades.list(data);
  }
}
