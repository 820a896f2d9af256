import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UpgradeService } from '../upgrade.service.js';

@QueryHandlerFor('create-upgrade')
export class CreateUpgradeHandler implements QueryHandler<'create-upgrade'> {
  constructor(private readonly upgrades: UpgradeService) {}

  handle(data: QueryData<'create-upgrade'>): Promise<QueryReply<'create-upgrade'>> {
    return this.upgrades.create(data);
  }
}
