import { Injectable } from '@nestjs/common';
import { QueryClient } from '#bus';
import { MOST_USED_ASKED, type MirroredImage, type QueryData } from '#contracts';
import { LiftlockError } from '#kernel';
import { parseDigest, parseRepository } from '#oci';
import { UnitOfWork } from '#persistence';
import { MirroredImageStore } from './persistence/mirrored-image.store.js';
import { RegistryPool } from './registries/registry-pool.js';
import { takeAway } from './registries/take-away.js';

/**
 * For the registry's part of one deletion. What asks for it waits for 55 s: with the two questions at the same time before it, of 20 s each,
 * that is enough.
 */
const DELETE_MS = 30_000;
/** After this no further part of the record is asked about: the last answer comes while somebody still waits for it. */
const LOOK_MS = 30_000;

/** What was mirrored, what of it nobody needs any more, and its end. */
@Injectable()
export class GarbageService {
  constructor(
    private readonly work: UnitOfWork,
    private readonly images: MirroredImageStore,
    private readonly queries: QueryClient,
    private readonly pool: RegistryPool,
  ) {}

  list(asked: QueryData<'list-mirrored'>): Promise<MirroredImage[]> {
    return this.work.single((db) => this.images.list(db, asked));
  }

  /** What no release names any more, and no upgrade holds. */
  async garbage({ environment, limit }: QueryData<'mirror-garbage'>): Promise<MirroredImage[]> {
    const all = await this.work.single((db) => this.images.list(db, {}));
    const needs = await this.needsOf(all);
    // one place of one image is wanted by all of its names or goes with all of them
    const needed = new Set(all.filter((image) => needs.has(image)).map(placeOf));
    return all
      .filter((image) => environment === undefined || image.environment === environment)
      .filter((image) => !needed.has(placeOf(image)))
      .slice(0, limit);
  }

  /** @throws LiftlockError `not_found`; `conflict` while anything needs it; what the registry says against it */
  async delete(place: QueryData<'delete-mirrored'>): Promise<MirroredImage[]> {
    const { target, digest } = place;
    return this.work.run(async (tx) => {
      // an upgrade that wants it looks for it afterwards, and brings it anew
      await this.images.lock(tx, place);
      const { images, access } = await this.images.of(tx, place);
      if (images.length === 0)
        throw new LiftlockError(
          'not_found',
          `no upgrade has brought ${target}@${digest}: liftlock mirror list shows what there is`,
        );
      const needs = await this.needsOf(images);
      for (const image of images) {
        const why = needs.get(image);
        if (why !== undefined)
          throw new LiftlockError('conflict', `${target}@${digest} stays: ${why}`, {
            details: { target, digest },
          });
      }
      const repository = parseRepository(target);
      await this.pool.use({ [repository.registry]: access }, (registries) =>
        takeAway(
          registries.repository(repository, 'delete'),
          parseDigest(digest),
          new Set(images.map(({ tag }) => tag)),
          AbortSignal.timeout(DELETE_MS),
        ),
      );
      await this.images.remove(tx, place);
      return images;
    });
  }

  /** Why it must stay, of those that must. What cannot be found out is an error: nothing is garbage by default. */
  private async needsOf(images: readonly MirroredImage[]): Promise<Map<MirroredImage, string>> {
    const needs = new Map<MirroredImage, string>();
    const until = performance.now() + LOOK_MS;
    for (let first = 0; first < images.length; first += MOST_USED_ASKED) {
      if (performance.now() > until)
        throw new LiftlockError(
          'timeout',
          `planner and coordinator were asked about ${first} of ${images.length} images in ${LOOK_MS / 1_000} s: nothing was deleted; ask again when they have less to do`,
        );
      const some = images.slice(first, first + MOST_USED_ASKED);
      const [{ used }, { items }] = await Promise.all([
        this.queries.ask('used-images', {
          images: some.map(({ source, digest, target, tag }) => ({
            ...{ source, digest },
            place: `${target}:${tag}`,
          })),
        }),
        this.queries.ask('held-images', {
          digests: [...new Set(some.map(({ digest }) => digest))],
        }),
      ]);
      const held = new Map(items.map((one) => [one.digest, one]));
      for (const [index, image] of some.entries()) {
        const holder = held.get(image.digest);
        if (holder !== undefined)
          needs.set(
            image,
            holder.why === 'runs'
              ? `since upgrade ${holder.upgrade} it is what runs`
              : `upgrade ${holder.upgrade} needs it, and has not ended`,
          );
        // what nothing was said of counts as used
        else if (used[index] !== false)
          needs.set(
            image,
            `a release or a job names it (${image.source}, or its place at the mirror): delete or change that`,
          );
      }
    }
    return needs;
  }
}

function placeOf({ target, digest }: MirroredImage): string {
  return `${target}@${digest}`;
}
