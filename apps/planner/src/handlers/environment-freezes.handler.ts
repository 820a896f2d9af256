import { LiftlockError } from '#kernel';
import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { DocumentStore } from '../persistence/document.store.js';

@QueryHandlerFor('environment-freezes')
export class EnvironmentFreezesHandler implements QueryHandler<'environment-freezes'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly documents: DocumentStore,
  ) {}

  async handle({
    environment,
  }: QueryData<'environment-freezes'>): Promise<QueryReply<'environment-freezes'>> {
    const found = await this.work.run((tx) => this.documents.environment(tx, environment));
    if (found === undefined)
      throw new LiftlockError('not_found', `there is no environment ${environment}`);
    return { freezes: found.document.spec.policy.freezes ?? [] };
  }
}
