import type { QueryData, QueryReply } from '#contracts';
import { QueryHandlerFor, type QueryHandler } from '#bus';
import { UnitOfWork } from '#persistence';
import { heldImagesOf } from '../domain/held-images.js';
import { ImageHolderStore } from '../persistence/image-holder.store.js';

@QueryHandlerFor('held-images')
export class HeldImagesHandler implements QueryHandler<'held-images'> {
  constructor(
    private readonly work: UnitOfWork,
    private readonly holders: ImageHolderStore,
  ) {}

  async handle({ digests }: QueryData<'held-images'>): Promise<QueryReply<'held-images'>> {
    const upgrades = await this.work.single((db) => this.holders.about(db, digests));
    return { items: heldImagesOf(upgrades, new Set(digests)) };
  }
}
