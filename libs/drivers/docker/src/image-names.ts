import type { StepContext } from '#drivers/core';
import { orMissing, type Engine } from './engine.js';
import { statusOf } from './errors.js';
import { fileKey } from './file-marks.js';
import { LABELS, marks } from './labels.js';
import { short } from './planned-container.js';
import { removeRecordVolume, writeRecord } from './record-volume.js';

/** The record that an old image has its second name from us. */
interface NameMark {
  /** Name of the empty volume whose labels are the record. */
  readonly volume: string;
  readonly upgrade: string;
  /** ID of the old image. */
  readonly imageId: string;
  /** The name that a load takes away from it. */
  readonly name: string;
}

const oldName = (name: string): string => `${name}-old`;

/**
 * Before a load that gives `name` to another image: the one that has it now gets `<name>-old`, so that a person finds it, and
 * `docker image prune` spares it. A second name that somebody else gave is left as it is.
 */
export async function keepOldName(
  engine: Engine,
  context: StepContext,
  loaded: { readonly name: string; readonly imageId: string },
): Promise<void> {
  const { name } = loaded;
  const old = await engine.inspectImage(name, context.signal);
  if (old === undefined || old.Id === loaded.imageId) return;
  const there = await engine.inspectImage(oldName(name), context.signal);
  if (there !== undefined) {
    if (there.Id === old.Id) return;
    context.log(
      `${oldName(name)} is another image (${short(there.Id)}) and stays so: the old ${name} is ${short(old.Id)}`,
      'warn',
    );
    return;
  }
  await writeRecord(engine, context, {
    name: `liftlock-name-${context.upgrade}-${fileKey(name)}`,
    labels: { ...marks(context, 'tag', old.Id), [LABELS.image]: name },
    what: `writing down that ${oldName(name)} is ours`,
  });
  await context.guard();
  context.log(`${name} (${short(old.Id)}) is ${oldName(name)} from now on`);
  await giveName(engine, context, old.Id, oldName(name));
}

/** Gives a name to an image as a load of its archive would. */
export async function takeName(
  engine: Engine,
  context: StepContext,
  held: { readonly name: string; readonly imageId: string },
): Promise<void> {
  await keepOldName(engine, context, held);
  await context.guard();
  await giveName(engine, context, held.imageId, held.name);
}

/** After the bake: the second name goes, and the old image with it, where nothing else names it or was made from it. */
export async function dropOldNames(
  engine: Engine,
  context: StepContext,
  oldImageId: string | undefined,
): Promise<void> {
  for (const mark of await nameMarks(engine, context, oldImageId)) {
    if (await isOurs(engine, context, mark)) {
      const users = await usersOf(engine, context, mark.imageId);
      if (users.some(({ runs }) => runs)) {
        context.log(`${oldName(mark.name)} stays: a container runs from it`);
        continue;
      }
      // the engine deletes an image with its last name, and refuses to while containers are of it: the name is moved away from it
      const other = await engine.inspectImage(mark.name, context.signal);
      if (users.length > 0 && other !== undefined) {
        await context.guard();
        await giveName(engine, context, other.Id, oldName(mark.name));
      }
      await removeImage(engine, context, oldName(mark.name));
    }
    await removeRecordVolume(engine, context, mark.volume, 'removing the record of a second name');
  }
}

/**
 * After the way back: the old image has its name again. What was loaded stays, without a name if it has no other: another lane of this
 * upgrade may be about to run it.
 */
export async function giveBackNames(
  engine: Engine,
  context: StepContext,
  oldImageId: string | undefined,
): Promise<void> {
  for (const mark of await nameMarks(engine, context, oldImageId)) {
    const now = await engine.inspectImage(mark.name, context.signal);
    const isTaken = now !== undefined && now.Id !== mark.imageId;
    // not by a job of this upgrade, which is kept until all is finished off
    const isNeeded =
      isTaken && (await usersOf(engine, context, now.Id)).some(({ isOurJob }) => !isOurJob);
    if (isNeeded) {
      context.log(`${mark.name} stays the new image: another container is of it`);
      continue;
    }
    if (await isOurs(engine, context, mark)) {
      await context.guard();
      await giveName(engine, context, mark.imageId, mark.name);
      await removeImage(engine, context, oldName(mark.name));
    }
    await removeRecordVolume(engine, context, mark.volume, 'removing the record of a second name');
  }
}

/** Of this upgrade, and of earlier ones that ended before they could clean up after the same image. */
async function nameMarks(
  engine: Engine,
  context: StepContext,
  oldImageId: string | undefined,
): Promise<NameMark[]> {
  const { Volumes } = await engine.call(
    'looking for second names of images',
    context.signal,
    (docker, options) =>
      docker.listVolumes({ filters: { label: [`${LABELS.role}=tag`] }, ...options }),
  );
  return (Volumes ?? [])
    .map(({ Name, Labels }) => ({
      volume: Name,
      upgrade: Labels?.[LABELS.upgrade] ?? '',
      imageId: Labels?.[LABELS.of] ?? '',
      name: Labels?.[LABELS.image] ?? '',
    }))
    .filter(({ upgrade, imageId }) => upgrade === context.upgrade || imageId === oldImageId);
}

/** Whether the second name is still that of the image that it was given to. */
async function isOurs(engine: Engine, context: StepContext, mark: NameMark): Promise<boolean> {
  const found = await engine.inspectImage(oldName(mark.name), context.signal);
  return found?.Id === mark.imageId;
}

async function usersOf(
  engine: Engine,
  context: StepContext,
  imageId: string,
): Promise<Array<{ runs: boolean; isOurJob: boolean }>> {
  const listed = await engine.call(
    'looking who is of the image',
    context.signal,
    (docker, options) =>
      docker.listContainers({ all: true, filters: { ancestor: [imageId] }, ...options }),
  );
  return listed
    .filter(({ ImageID }) => ImageID === imageId)
    .map(({ State, Labels }) => ({
      runs: State === 'running' || State === 'paused',
      isOurJob: Labels[LABELS.role] === 'job' && Labels[LABELS.upgrade] === context.upgrade,
    }));
}

async function giveName(
  engine: Engine,
  context: StepContext,
  imageId: string,
  name: string,
): Promise<void> {
  const colon = name.lastIndexOf(':');
  await engine.call(
    `naming the image ${short(imageId)} ${name}`,
    context.signal,
    (docker, options) =>
      docker
        .getImage(imageId)
        .tag({ repo: name.slice(0, colon), tag: name.slice(colon + 1), ...options }),
  );
}

/** By name or ID, never by force: what is in use stays. */
async function removeImage(engine: Engine, context: StepContext, image: string): Promise<void> {
  await context.guard();
  try {
    await orMissing(
      engine.call(`removing the image ${image}`, context.signal, (docker, options) =>
        docker.getImage(image).remove({ ...options }),
      ),
    );
  } catch (error) {
    if (statusOf(error) !== 409) throw error;
    context.log(`${image} stays: it is in use`);
  }
}
