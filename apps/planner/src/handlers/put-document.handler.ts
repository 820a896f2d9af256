import { Inject } from '@nestjs/common';
import type { Clock } from '#kernel';
import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { readDocument } from '../domain/read-document.js';
import { DocumentStore } from '../persistence/document.store.js';
import { CLOCK } from '../tokens.js';

@QueryHandlerFor('put-document')
export class PutDocumentHandler implements QueryHandler<'put-document'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly documents: DocumentStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async handle({
    kind,
    name,
    body,
    actor,
    ifGeneration,
  }: QueryData<'put-document'>): Promise<QueryReply<'put-document'>> {
    const document = readDocument(kind, name, body);
    return this.work.run((tx) =>
      this.documents.put(tx, document, { actor, ifGeneration, now: this.clock.now() }),
    );
  }
}
