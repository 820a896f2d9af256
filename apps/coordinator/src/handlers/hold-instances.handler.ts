import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { LockStore } from '../persistence/lock.store.js';

/** Data is read or written outside of an upgrade: no upgrade of the application begins meanwhile. */
@QueryHandlerFor('hold-instances')
export class HoldInstancesHandler implements QueryHandler<'hold-instances'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly locks: LockStore,
  ) {}

  async handle(data: QueryData<'hold-instances'>): Promise<QueryReply<'hold-instances'>> {
    const held = await this.work.run((tx) => this.locks.acquire(tx, data, data.instances));
    return held === undefined ? {} : { heldBy: { instance: held.instance, holder: held.upgrade } };
  }
}
