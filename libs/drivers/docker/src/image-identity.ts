import type { ImageIdentity } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Engine, ImageInfo } from './engine.js';

/** The image by its ID, else by its digest; its tag is only for show, since a tag may name another image by now. */
export async function imageFor(
  engine: Engine,
  context: StepContext,
  image: ImageIdentity,
): Promise<ImageInfo> {
  const found = await findImage(engine, context, image);
  if (found !== undefined) return found;
  throw new LiftlockError(
    'image_missing',
    `the image ${image.reference} (${image.id ?? image.digest}) is not on ${engine.name}: load it there (docker load), or give the release an archive or a digest to pull`,
    { details: { ...image, target: engine.name } },
  );
}

export async function findImage(
  engine: Engine,
  context: StepContext,
  image: ImageIdentity,
): Promise<ImageInfo | undefined> {
  const key = image.id ?? image.digest;
  return key === undefined ? undefined : engine.inspectImage(key, context.signal);
}
