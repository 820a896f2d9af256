import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { DocumentStore } from '../persistence/document.store.js';

@QueryHandlerFor('document-history')
export class DocumentHistoryHandler implements QueryHandler<'document-history'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly documents: DocumentStore,
  ) {}

  handle({
    kind,
    name,
    cursor,
    limit,
  }: QueryData<'document-history'>): Promise<QueryReply<'document-history'>> {
    return this.work.run((tx) => this.documents.history(tx, kind, name, { cursor, limit }));
  }
}
