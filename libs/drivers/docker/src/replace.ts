import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { composeLabels } from './compose-labels.js';
import { isLive, nameOf, type ContainerInfo, type Engine, type ImageInfo } from './engine.js';
import { imageFor } from './image-identity.js';
import { LABELS, marks } from './labels.js';
import { newContainersOf, removeContainer, renameContainer } from './new-containers.js';
import { assertKeepable, drift, plannedContainer, short } from './planned-container.js';
import { holdBack, type RestartPolicy } from './restart-policy.js';
import { containerSettings } from './settings.js';
import { namedContainers } from './settings-references.js';
import { networkSettings } from './settings-networks.js';
import { startAndWatch } from './start.js';
import { standsFor, stoodFor } from './successor.js';

type Input = ActionInput<'instance.replace'>;

/** Keeps the stopped old container under another name, and runs a new one in its place with its settings. */
export async function replace(
  engine: Engine,
  context: StepContext,
  input: Input,
): Promise<ActionOutput<'instance.replace'>> {
  const old = await plannedContainer(engine, context, input);
  assertKeepable(old);
  assertStopped(input, old);
  const image = await imageFor(engine, context, input.image);
  const made = await newContainersOf(engine, context, input.containerId);
  const ready = made.find((one) => isReady(one, input, image));
  if (ready !== undefined && isLive(ready)) return { containerId: ready.Id, found: 'done_before' };
  const restartPolicy = await holdBack(engine, context, old);
  const fresh =
    ready ?? (await makeNew(engine, context, input, { old, image, restartPolicy }, made));
  const now = await plannedContainer(engine, context, input);
  assertStopped(input, now);
  await startAndWatch(engine, context, fresh);
  return { containerId: fresh.Id, found: 'done_now' };
}

/** It was made whole: only what has all its networks was ever started. */
function isReady(container: ContainerInfo, input: Input, image: ImageInfo): boolean {
  return (
    nameOf(container) === input.container &&
    container.Image === image.Id &&
    container.State.Status !== 'created'
  );
}

/** What the new container is made from. */
interface Origin {
  readonly old: ContainerInfo;
  readonly image: ImageInfo;
  /** That the old one had before it was stopped. */
  readonly restartPolicy: RestartPolicy;
}

async function makeNew(
  engine: Engine,
  context: StepContext,
  input: Input,
  origin: Origin,
  made: readonly ContainerInfo[],
): Promise<ContainerInfo> {
  const { old, image } = origin;
  for (const half of made) await removeHalf(engine, context, input, half);
  await keepOld(engine, context, input, old);
  const body = await settingsOf(engine, context, input, origin);
  const networks = networkSettings(old);
  await context.guard();
  context.log(`creating ${input.container} from ${input.image.reference} (${short(image.Id)})`);
  const id = await engine.create(
    input.container,
    { ...body, NetworkingConfig: { EndpointsConfig: networks.primary } },
    context.signal,
  );
  if (networks.leave !== undefined) {
    const network = networks.leave;
    await context.guard();
    await engine.call(`leaving the network ${network}`, context.signal, (docker, options) =>
      docker.getNetwork(network).disconnect({ Container: id, ...options }),
    );
  }
  for (const { network, endpoint } of networks.further) {
    await context.guard();
    await engine.call(`joining the network ${network}`, context.signal, (docker, options) =>
      docker.getNetwork(network).connect({ Container: id, EndpointConfig: endpoint, ...options }),
    );
  }
  const fresh = await engine.inspect(id, context.signal);
  if (fresh !== undefined) return fresh;
  throw drift(`the new container ${input.container} was removed while it was made`, input);
}

/** What an attempt that broke off left, or one with another image: it never ran, or has ended. */
async function removeHalf(
  engine: Engine,
  context: StepContext,
  input: Input,
  half: ContainerInfo,
): Promise<void> {
  if (isLive(half)) {
    throw new LiftlockError(
      'data_in_use',
      `${nameOf(half)} (${short(half.Id)}), which this upgrade made, runs from another image (${short(half.Image)}): stop it, and try again`,
      { details: { container: nameOf(half), containerId: half.Id, imageId: half.Image } },
    );
  }
  if (nameOf(half) === input.container) await removeContainer(engine, context, half);
}

/** Moves the old container out of the name's way. */
async function keepOld(
  engine: Engine,
  context: StepContext,
  input: Input,
  old: ContainerInfo,
): Promise<void> {
  if (nameOf(old) === input.keptName) return;
  if (nameOf(old) !== input.container) {
    throw drift(
      `the container ${short(old.Id)} was named ${input.container} and is now named ${nameOf(old)}`,
      input,
      old,
    );
  }
  await renameContainer(engine, context, old, input.keptName);
}

async function settingsOf(
  engine: Engine,
  context: StepContext,
  input: Input,
  { old, image, restartPolicy }: Origin,
): Promise<object> {
  const oldImage = await engine.inspectImage(old.Image, context.signal);
  if (oldImage === undefined) {
    throw new LiftlockError(
      'image_missing',
      `the image ${short(old.Image)} of the old container ${nameOf(old)} is gone, so that nobody can tell which of its settings came from it: load it again`,
      { details: { imageId: old.Image } },
    );
  }
  const referred = new Map<string, ContainerInfo>();
  for (const named of namedContainers(old)) {
    const other = await standsFor(engine, named, context.signal);
    if (other !== undefined) referred.set(named, other);
  }
  return containerSettings({
    old,
    oldImage,
    newImage: image,
    referred,
    engineHost: await engineHost(engine, context, old),
    restartPolicy,
    env: input.env,
    command: input.command,
    labels: {
      ...marks(context, 'instance', old.Id),
      [LABELS.stoodFor]: [...stoodFor(old.Config.Labels), old.Id].join(','),
      [LABELS.image]: input.image.reference,
      ...(await composeLabels(
        engine,
        old,
        { reference: input.image.reference, info: image },
        context,
      )),
    },
  });
}

/** An engine looks at much of its host to tell about itself: it is asked only where the name counts. */
async function engineHost(
  engine: Engine,
  context: StepContext,
  { HostConfig }: ContainerInfo,
): Promise<string> {
  if (HostConfig.NetworkMode !== 'host') return '';
  const info = await engine.call<unknown>(
    'asking the engine about itself',
    context.signal,
    (docker) => docker.info(),
  );
  return (info as { Name?: string }).Name ?? '';
}

function assertStopped(input: Input, old: ContainerInfo): void {
  if (!isLive(old)) return;
  throw drift(
    `the old container ${nameOf(old)} runs (again): old and new must never run on the same data; stop it, and try again`,
    input,
    old,
  );
}
