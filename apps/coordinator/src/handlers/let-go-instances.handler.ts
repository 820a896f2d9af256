import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { LockStore } from '../persistence/lock.store.js';

@QueryHandlerFor('let-go-instances')
export class LetGoInstancesHandler implements QueryHandler<'let-go-instances'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly locks: LockStore,
  ) {}

  async handle({ id }: QueryData<'let-go-instances'>): Promise<QueryReply<'let-go-instances'>> {
    await this.work.run((tx) => this.locks.release(tx, id));
    return {};
  }
}
