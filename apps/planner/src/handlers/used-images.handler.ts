import { QueryHandlerFor, type QueryHandler } from '#bus';
import { applicationDocument, releaseDocument, type QueryData, type QueryReply } from '#contracts';
import { UnitOfWork } from '#persistence';
import { isUsed, usedImagesOf } from '../domain/used-images.js';
import { DocumentStore } from '../persistence/document.store.js';

@QueryHandlerFor('used-images')
export class UsedImagesHandler implements QueryHandler<'used-images'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly documents: DocumentStore,
  ) {}

  async handle({ images }: QueryData<'used-images'>): Promise<QueryReply<'used-images'>> {
    const used = await this.work.run(async (tx) =>
      usedImagesOf(
        (await this.documents.all(tx, 'Release')).map(({ document }) =>
          releaseDocument.parse(document),
        ),
        (await this.documents.all(tx, 'Application')).map(({ document }) =>
          applicationDocument.parse(document),
        ),
      ),
    );
    return { used: images.map((image) => isUsed(used, image)) };
  }
}
