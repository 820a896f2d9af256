import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UpgradeService } from '../upgrade.service.js';

@QueryHandlerFor('get-upgrade')
export class GetUpgradeHandler implements QueryHandler<'get-upgrade'> {
  constructor(private readonly upgrades: UpgradeService) {}

  handle(data: QueryData<'get-upgrade'>): Promise<QueryReply<'get-upgrade'>> {
    return this.upgrades.get(data.id);
  }
}
