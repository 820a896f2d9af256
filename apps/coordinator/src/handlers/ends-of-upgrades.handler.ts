import { isFinal, type QueryData, type QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { UpgradeStore } from '../persistence/upgrade.store.js';

@QueryHandlerFor('ends-of-upgrades')
export class EndsOfUpgradesHandler implements QueryHandler<'ends-of-upgrades'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly upgrades: UpgradeStore,
  ) {}

  async handle(data: QueryData<'ends-of-upgrades'>): Promise<QueryReply<'ends-of-upgrades'>> {
    const found = await this.work.single((db) => this.upgrades.ends(db, data.upgrades));
    return {
      items: found.map(({ id, release, state }) => ({
        upgrade: id,
        release,
        ended: isFinal(state),
      })),
    };
  }
}
