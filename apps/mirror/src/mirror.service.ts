import { Injectable } from '@nestjs/common';
import type { ActionInput, ActionOutput } from '#contracts';
import { transferMeter, type StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import {
  Copier,
  parsePlatform,
  parseRepository,
  ProgressTotals,
  RegistrySource,
  type CopyJob,
  type CopyResult,
  type Registries,
} from '#oci';
import { UnitOfWork } from '#persistence';
import { isOutOfReach } from './out-of-reach.js';
import { MirroredImageStore, type NewMirroredImage } from './persistence/mirrored-image.store.js';
import { openSource } from './registries/open-source.js';
import { RegistryPool } from './registries/registry-pool.js';
import { SharedBlobClaims } from './registries/shared-blob-claims.js';
import { assertTrusted } from './trust.js';

type Input = ActionInput<'image.mirror'>;
type Output = ActionOutput<'image.mirror'>;

/** Copies images into an environment's mirror. */
@Injectable()
export class MirrorService {
  /** One for all steps: what several want at the same time is fetched once; also where another replica is at it. */
  private readonly copier: Copier;

  constructor(
    claims: SharedBlobClaims,
    private readonly pool: RegistryPool,
    private readonly work: UnitOfWork,
    private readonly images: MirroredImageStore,
  ) {
    this.copier = new Copier(claims);
  }

  async mirror(context: StepContext, input: Input): Promise<Output> {
    context.log(`${input.source} (${input.digest}) goes to ${input.target}:${input.tag}`);
    // while somebody takes it away: what is found before that is not there afterwards
    await this.work.run((tx) => this.images.lock(tx, input));
    const result = await this.pool.use(input.access, (registries) =>
      this.bring(registries, context, input),
    );
    await this.work.single((db) => this.images.save(db, recordOf(context, input, result)));
    const { there, mounted, uploaded } = result.blobs;
    context.log(
      result.found === 'there'
        ? 'it was there already'
        : `${result.bytes} bytes sent; blobs: ${uploaded} copied, ${mounted} mounted, ${there} there`,
    );
    return {
      digest: result.digest,
      found: result.found === 'there' ? 'done_before' : 'done_now',
      bytes: result.bytes,
      blobs: { copied: uploaded, mounted, present: there },
      referrers: result.referrers,
    };
  }

  private async bring(
    registries: Registries,
    context: StepContext,
    input: Input,
  ): Promise<CopyResult> {
    const { signal } = context;
    const target = registries.repository(parseRepository(input.target), 'push');
    const job: Omit<CopyJob, 'source'> = {
      reference: input.digest,
      target,
      tags: [input.tag],
      platforms: input.platforms.length === 0 ? undefined : input.platforms.map(parsePlatform),
      admit: async (image, source) => {
        for (const warning of await assertTrusted(source, image, input.trust, signal))
          context.log(warning, 'warn');
        await context.guard();
      },
      beforeTag: () => context.guard(),
      progress: new ProgressTotals(transferMeter(context, 'copy')),
      signal,
    };
    try {
      return await this.copier.copy({
        ...job,
        source: await openSource(registries, input, signal),
      });
    } catch (error) {
      if (!isOutOfReach(error) || signal.aborted) throw error;
      return this.fromItself(job, error);
    }
  }

  /** The source is out of reach: all that belongs to the image may be in the mirror, and is looked for there. */
  private async fromItself(job: Omit<CopyJob, 'source'>, why: unknown): Promise<CopyResult> {
    const source = new RegistrySource(job.target);
    try {
      return await this.copier.copy({ ...job, source, thorough: true });
    } catch (error) {
      // an image that is there and must not be taken is told; that it is not there says less than why it could not come
      throw LiftlockError.from(error).code === 'image_untrusted' ? error : why;
    }
  }
}

function recordOf(
  { environment, application, upgrade }: StepContext,
  { target, digest, source, tag, access }: Input,
  { bytes }: CopyResult,
): NewMirroredImage {
  const { registry } = parseRepository(target);
  return {
    ...{ target, digest, source, tag, environment, application, upgrade, bytes },
    access: access[registry] ?? {},
  };
}
