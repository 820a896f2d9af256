import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { LiftlockError } from '#kernel';
import { instancesWithData } from '../domain/instances-with-data.js';
import { DocumentStore } from '../persistence/document.store.js';

@QueryHandlerFor('instances-with-data')
export class InstancesWithDataHandler implements QueryHandler<'instances-with-data'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly documents: DocumentStore,
  ) {}

  async handle(
    asked: QueryData<'instances-with-data'>,
  ): Promise<QueryReply<'instances-with-data'>> {
    const [environment, application] = await this.work.run(async (tx) => [
      await this.documents.environment(tx, asked.environment),
      await this.documents.application(tx, asked.application),
    ]);
    if (environment === undefined)
      throw new LiftlockError('not_found', `there is no environment ${asked.environment}`);
    if (application === undefined)
      throw new LiftlockError('not_found', `there is no application ${asked.application}`);
    return { items: instancesWithData(environment.document, application.document, asked) };
  }
}
