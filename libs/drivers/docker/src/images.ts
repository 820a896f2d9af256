import type { ActionInput, ActionOutput } from '#contracts';
import type { LookUpLayers, SecretStore, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { archivedId, archivedNames, readArchive } from './archive.js';
import type { Engine } from './engine.js';
import { findImage, imageFor } from './image-identity.js';
import { keepOldName, takeName } from './image-names.js';
import { withRoom, type LookUpComing, type Onto } from './image-room.js';
import type { HelperImages } from './helper-image.js';
import { loadArchive } from './load-archive.js';
import { short } from './planned-container.js';
import { pull, type AuthConfig } from './pull.js';

type Input = ActionInput<'image.prepare'>;
type Output = ActionOutput<'image.prepare'>;

export interface PrepareOptions {
  readonly helpers: HelperImages;
  readonly secrets: SecretStore;
  /** Where a registry can be asked what is to be pulled: then free disk is looked at before. */
  readonly lookUp: LookUpLayers | undefined;
}

/** Brings the image to the engine, and the one of the helpers, before anything is stopped for them. */
export async function prepare(
  engine: Engine,
  context: StepContext,
  input: Input,
  options: PrepareOptions,
): Promise<Output> {
  const { helpers } = options;
  const output = await bring(engine, context, input, options);
  await readyHelpers(engine, context, helpers);
  return output;
}

/** Whoever handles data builds it if need be: what lacks here may be there. */
async function readyHelpers(
  engine: Engine,
  context: StepContext,
  helpers: HelperImages,
): Promise<void> {
  try {
    await helpers.of(engine, context);
  } catch (error) {
    const { code, message } = LiftlockError.from(error);
    if (code !== 'misconfigured') throw error;
    context.log(`the image for reading and writing data is not built here: ${message}`, 'warn');
  }
}

async function bring(
  engine: Engine,
  context: StepContext,
  input: Input,
  { helpers, secrets, lookUp }: PrepareOptions,
): Promise<Output> {
  const { image, archive } = input;
  const there = await findImage(engine, context, image);
  if (there !== undefined) {
    const isNameless = there.RepoTags.length === 0 && there.RepoDigests.length === 0;
    if (archive !== undefined && isNameless)
      await nameAsArchived(engine, context, there.Id, archive);
    return { imageId: there.Id, found: 'done_before' };
  }
  if (archive !== undefined) return load({ engine, context, helpers }, input, archive);
  if (image.digest !== undefined) {
    const { digest } = image;
    const lookUpComing: LookUpComing = async (platform) => {
      const layers = await lookUp?.(platform);
      return layers === undefined ? undefined : { name: digest, images: [layers] };
    };
    const bringIt = async (told: (bytes: number) => void): Promise<void> =>
      pull(engine, context, { digest, authconfig: await signIn(input, secrets), told });
    if (lookUp === undefined) await bringIt(() => undefined);
    else await withRoom({ engine, context, helpers }, lookUpComing, bringIt);
    const pulled = await imageFor(engine, context, image);
    return { imageId: pulled.Id, found: 'done_now' };
  }
  throw new LiftlockError(
    'image_missing',
    `the image ${image.reference} (${image.id}) is not on ${engine.name}, and there is nowhere to take it from: load it there (docker load), or give the release an archive or a digest to pull`,
    { details: { ...image, target: engine.name } },
  );
}

/** An upgrade that was taken back left it loaded, without a name: it gets those that a load would give it. */
async function nameAsArchived(
  engine: Engine,
  context: StepContext,
  imageId: string,
  archive: string,
): Promise<void> {
  for (const held of archivedNames(await readArchive(archive, context.signal)))
    if (held.imageId === imageId) await takeName(engine, context, held);
}

/** `docker load`, then a look whether the image is the one that was planned: a tag would not tell. */
async function load(onto: Onto, { image }: Input, archive: string): Promise<Output> {
  const { engine, context } = onto;
  const contents = await readArchive(archive, context.signal);
  const held = archivedId(contents, image.reference);
  if (image.id !== undefined && held !== image.id) {
    throw new LiftlockError(
      'image_missing',
      `the archive ${archive} holds the image ${short(held)}, not ${short(image.id)} (${image.reference}): it was exchanged since the plan was made; make a new plan`,
      { details: { archive, expected: image.id, found: held } },
    );
  }
  const before = await engine.inspectImage(held, context.signal);
  if (before !== undefined) return { imageId: held, found: 'done_before' };
  const coming = {
    name: `the archive ${archive}`,
    images: contents.images.map(({ layers }) => layers),
    archiveBytes: contents.bytes,
  };
  await withRoom(
    onto,
    () => Promise.resolve(coming),
    async (told) => {
      for (const loaded of archivedNames(contents)) await keepOldName(engine, context, loaded);
      await context.guard();
      context.log(`loading ${image.reference} (${short(held)}) from ${archive}`);
      await loadArchive(engine, context, contents, told);
    },
  );
  const loaded = await engine.inspectImage(held, context.signal);
  if (loaded !== undefined) return { imageId: loaded.Id, found: 'done_now' };
  throw new LiftlockError(
    'image_missing',
    `the archive ${archive} was loaded, but ${engine.name} does not know the image ${short(held)} afterwards: it may name images otherwise (containerd image store)`,
    { details: { archive, expected: held } },
  );
}

async function signIn(
  { image, credentials }: Input,
  secrets: SecretStore,
): Promise<AuthConfig | undefined> {
  const { username, password } = credentials ?? {};
  if (username === undefined || password === undefined) return undefined;
  return {
    username: (await secrets.get(username)).trim(),
    password: (await secrets.get(password)).replace(/\r?\n$/, ''),
    serveraddress: image.digest?.split('/')[0] ?? '',
  };
}
