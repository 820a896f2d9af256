import { Inject, Injectable } from '@nestjs/common';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { ActionInput } from '#contracts';
import type { LookUpLayers, PackedLayer, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { parseManifest, parseReference, RegistrySource, type Registries } from '#oci';
import { UnitOfWork } from '#persistence';
import { MirroredImageStore } from './persistence/mirrored-image.store.js';
import { RegistryPool } from './registries/registry-pool.js';

/** What a registry is given for it: it is asked so that a pull may be spared, and not worth a long wait. */
const ASK_MS = 20_000;

/** The part of an image's configuration that is needed here (image specification, "Image Configuration"). */
const imageConfig = z.object({ rootfs: z.object({ diff_ids: z.array(z.string()) }) });

type Platform = Parameters<LookUpLayers>[0];

/** What an engine would pull for an image, as its registry tells. */
@Injectable()
export class LayersService {
  constructor(
    private readonly pool: RegistryPool,
    @Inject(UnitOfWork) private readonly work: Pick<UnitOfWork, 'single'>,
    private readonly images: MirroredImageStore,
  ) {}

  /** @returns undefined where it cannot be told here: engines may reach what this service does not */
  async of(
    { signal, log }: Pick<StepContext, 'signal' | 'log'>,
    { image, credentials }: ActionInput<'image.prepare'>,
    platform: Platform,
  ): Promise<readonly PackedLayer[] | undefined> {
    if (image.digest === undefined) return undefined;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]);
    try {
      const { registry, repository, digest = '' } = parseReference(image.digest);
      const place = { target: `${registry}/${repository}`, digest };
      // as it was reached when it was mirrored
      const known = await this.work.single((db) => this.images.of(db, place));
      const access =
        known.images.length > 0 ? known.access : credentials === undefined ? {} : { credentials };
      return await this.pool.use({ [registry]: access }, (registries) =>
        layersOf(registries, image.digest ?? '', platform, deadline),
      );
    } catch (error) {
      if (signal.aborted) throw error;
      log(`how large ${image.digest} is, is not known: ${LiftlockError.from(error).message}`);
      return undefined;
    }
  }
}

async function layersOf(
  registries: Registries,
  reference: string,
  platform: Platform,
  signal: AbortSignal,
): Promise<readonly PackedLayer[] | undefined> {
  const parsed = parseReference(reference);
  const source = new RegistrySource(registries.repository(parsed));
  let manifest = parseManifest(await source.manifest(parsed.digest, signal), reference);
  if (manifest.kind === 'index') {
    const fitting = manifest.manifests.find(
      (entry) =>
        entry.platform?.os === platform.os && entry.platform.architecture === platform.architecture,
    );
    if (fitting === undefined) return undefined;
    manifest = parseManifest(await source.manifest(fitting.digest, signal), reference);
  }
  if (manifest.kind !== 'image' || manifest.config === undefined) return undefined;
  const { config, layers } = manifest;
  const bytes = await buffer(source.read(config, { signal }));
  const { diff_ids: diffIds } = imageConfig.parse(JSON.parse(bytes.toString())).rootfs;
  return layers.map(({ size, mediaType }, index) => ({
    bytes: size,
    isCompressed: /gzip|zstd/.test(mediaType),
    diffId: layers.length === diffIds.length ? diffIds[index] : undefined,
  }));
}
