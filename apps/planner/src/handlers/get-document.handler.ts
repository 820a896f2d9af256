import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { DocumentStore } from '../persistence/document.store.js';

@QueryHandlerFor('get-document')
export class GetDocumentHandler implements QueryHandler<'get-document'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly documents: DocumentStore,
  ) {}

  handle({
    kind,
    name,
    generation,
  }: QueryData<'get-document'>): Promise<QueryReply<'get-document'>> {
    return this.work.run((tx) => this.documents.get(tx, kind, name, generation));
  }
}
