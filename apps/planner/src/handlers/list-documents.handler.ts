import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { DocumentStore } from '../persistence/document.store.js';

@QueryHandlerFor('list-documents')
export class ListDocumentsHandler implements QueryHandler<'list-documents'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly documents: DocumentStore,
  ) {}

  handle({ kind, ...page }: QueryData<'list-documents'>): Promise<QueryReply<'list-documents'>> {
    return this.work.run((tx) => this.documents.list(tx, kind, page));
  }
}
