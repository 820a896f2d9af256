import { Inject } from '@nestjs/common';
import type { Clock } from '#kernel';
import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { DocumentStore } from '../persistence/document.store.js';
import { CLOCK } from '../tokens.js';

@QueryHandlerFor('delete-document')
export class DeleteDocumentHandler implements QueryHandler<'delete-document'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly documents: DocumentStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  handle({
    kind,
    name,
    actor,
    ifGeneration,
  }: QueryData<'delete-document'>): Promise<QueryReply<'delete-document'>> {
    return this.work.run((tx) =>
      this.documents.remove(tx, kind, name, { actor, ifGeneration, now: this.clock.now() }),
    );
  }
}
