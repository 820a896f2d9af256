import type { Readable } from 'node:stream';
import type { ActionInput, ActionOutput } from '#contracts';
import type { LookUpLayers, SecretStore, StepContext } from '#drivers/core';
import { LiftlockError, mebibytes } from '#kernel';
import { archiveImageId, archiveNames, openArchive } from './archive.js';
import type { Engine } from './engine.js';
import { follow } from './engine-progress.js';
import { findImage, imageFor } from './image-identity.js';
import { keepOldName, takeName } from './image-names.js';
import { assertRoom } from './image-room.js';
import type { HelperImages } from './helper-image.js';
import { short } from './planned-container.js';
import { PulledLayers } from './pulled-layers.js';

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
  if (archive !== undefined) return load(engine, context, input, archive);
  if (image.digest !== undefined) {
    if (lookUp !== undefined)
      await assertRoom(engine, context, helpers, { digest: image.digest, lookUp });
    await pull(engine, context, image.digest, await signIn(input, secrets));
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
  for (const held of await archiveNames(archive, context.signal))
    if (held.imageId === imageId) await takeName(engine, context, held);
}

/** `docker load`, then a look whether the image is the one that was planned: a tag would not tell. */
async function load(
  engine: Engine,
  context: StepContext,
  { image }: Input,
  archive: string,
): Promise<Output> {
  const held = await archiveImageId(archive, image.reference, context.signal);
  if (image.id !== undefined && held !== image.id) {
    throw new LiftlockError(
      'image_missing',
      `the archive ${archive} holds the image ${short(held)}, not ${short(image.id)} (${image.reference}): it was exchanged since the plan was made; make a new plan`,
      { details: { archive, expected: image.id, found: held } },
    );
  }
  const before = await engine.inspectImage(held, context.signal);
  if (before !== undefined) return { imageId: held, found: 'done_before' };
  for (const loaded of await archiveNames(archive, context.signal))
    await keepOldName(engine, context, loaded);
  await context.guard();
  context.log(`loading ${image.reference} (${short(held)}) from ${archive}`);
  const input = await openArchive(archive);
  const answer = await engine.call('loading the image', context.signal, (docker, options) =>
    docker.loadImage(input, { quiet: true, ...options } as object),
  );
  await follow(engine, context, answer as Readable, 'loading the image');
  const loaded = await engine.inspectImage(held, context.signal);
  if (loaded !== undefined) return { imageId: loaded.Id, found: 'done_now' };
  throw new LiftlockError(
    'image_missing',
    `the archive ${archive} was loaded, but ${engine.name} does not know the image ${short(held)} afterwards: it may name images otherwise (containerd image store)`,
    { details: { archive, expected: held } },
  );
}

/** What a registry says when it has no such image, or not for us: asking again does not help. */
const NOT_THERE = /not found|manifest unknown|name unknown|denied|unauthorized|no such image/i;

/** As the engine passes it on to the registry, with each pull. */
interface AuthConfig {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
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

async function pull(
  engine: Engine,
  context: StepContext,
  digest: string,
  authconfig: AuthConfig | undefined,
): Promise<void> {
  await context.guard();
  context.log(`pulling ${digest}`);
  try {
    await pullOnce(engine, context, digest, authconfig);
  } catch (error) {
    if (context.signal.aborted) throw error;
    const { code, message } = LiftlockError.from(error);
    if (code !== 'target_refused' && code !== 'image_missing') throw error;
    throw new LiftlockError('image_missing', message, {
      cause: error,
      retryable: !NOT_THERE.test(message),
      details: { digest, target: engine.name },
    });
  }
}

async function pullOnce(
  engine: Engine,
  context: StepContext,
  digest: string,
  authconfig: AuthConfig | undefined,
): Promise<void> {
  const at = digest.lastIndexOf('@');
  const layers = new PulledLayers();
  const answer = await engine.call(`pulling ${digest}`, context.signal, (docker, options) =>
    docker.createImage({
      fromImage: digest.slice(0, at),
      tag: digest.slice(at + 1),
      ...(authconfig === undefined ? {} : { authconfig }),
      ...options,
    } as object),
  );
  try {
    await follow(engine, context, answer as Readable, `pulling ${digest}`, layers);
  } catch (error) {
    const { code, message } = LiftlockError.from(error);
    if (code !== 'disk_full' || layers.totalBytes === 0) throw error;
    // others may have filled it meanwhile
    throw new LiftlockError(
      'disk_full',
      `${message}; the image's layers that are not there yet are ${mebibytes(layers.totalBytes)} packed, and more when unpacked`,
      { cause: error, details: { target: engine.name, bytes: layers.totalBytes } },
    );
  }
}
