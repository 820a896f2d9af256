import { LiftlockError } from '#kernel';
import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { DocumentStore } from '../persistence/document.store.js';

@QueryHandlerFor('environment-webhooks')
export class EnvironmentWebhooksHandler implements QueryHandler<'environment-webhooks'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly documents: DocumentStore,
  ) {}

  async handle({
    environment,
  }: QueryData<'environment-webhooks'>): Promise<QueryReply<'environment-webhooks'>> {
    const found = await this.work.run((tx) => this.documents.environment(tx, environment));
    if (found === undefined)
      throw new LiftlockError('not_found', `there is no environment ${environment}`);
    return { webhooks: found.document.spec.webhooks };
  }
}
