import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UpgradeService } from '../upgrade.service.js';

@QueryHandlerFor('act-on-upgrade')
export class ActOnUpgradeHandler implements QueryHandler<'act-on-upgrade'> {
  constructor(private readonly upgrades: UpgradeService) {}

  handle(data: QueryData<'act-on-upgrade'>): Promise<QueryReply<'act-on-upgrade'>> {
    return this.upgrades.act(data);
  }
}
