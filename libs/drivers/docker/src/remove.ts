import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { isLive, nameOf, type ContainerInfo, type Engine } from './engine.js';
import { fileMarks, removeFileMarks } from './file-marks.js';
import { dropOldNames, giveBackNames } from './image-names.js';
import { removeLeftovers } from './helper.js';
import { newContainersOf, removeContainer } from './new-containers.js';
import { drift, short } from './planned-container.js';
import { removeRecord } from './restart-policy.js';

/** After the way back: what this upgrade made for the instance goes. */
export async function removeNew(
  engine: Engine,
  context: StepContext,
  input: ActionInput<'instance.remove-new'>,
): Promise<ActionOutput<'instance.remove-new'>> {
  const made = await newContainersOf(engine, context, input.containerId);
  for (const container of made) {
    assertEnded(container);
    await removeContainer(engine, context, container);
  }
  const old = await engine.inspect(input.containerId, context.signal);
  await giveBackNames(engine, context, old?.Image);
  await forgetFiles(engine, context, input.containerId);
  await removeLeftovers(engine, context, input.containerId);
  return { found: made.length === 0 ? 'nothing_to_do' : 'done_now' };
}

/** After the bake: the old container goes, and with it the way back. Its named volumes stay, and its image, unless only its second name held it. */
export async function removeOld(
  engine: Engine,
  context: StepContext,
  input: ActionInput<'instance.remove-old'>,
): Promise<ActionOutput<'instance.remove-old'>> {
  const old = await engine.inspect(input.containerId, context.signal);
  if (old !== undefined) {
    if (nameOf(old) !== input.keptName) {
      throw drift(
        `the container ${short(old.Id)} is named ${nameOf(old)}, not ${input.keptName}: it is not one that was kept, and stays`,
        input,
        old,
      );
    }
    assertEnded(old);
    // its anonymous volumes are the new one's; were that one gone by now, they would go with the old one, and the data too
    await removeContainer(engine, context, old, 'keep-volumes');
  }
  await removeRecord(engine, context, input.containerId);
  await dropOldNames(engine, context, old?.Image);
  await forgetFiles(engine, context, input.containerId);
  await removeLeftovers(engine, context, input.containerId);
  return { found: old === undefined ? 'nothing_to_do' : 'done_now' };
}

function assertEnded(container: ContainerInfo): void {
  if (!isLive(container)) return;
  throw new LiftlockError(
    'target_refused',
    `${nameOf(container)} (${short(container.Id)}) runs, so it is not removed: stop it if it is of no use, and try again`,
    { details: { container: nameOf(container), containerId: container.Id } },
  );
}

/** Of files that were not removed by their own step, but by a person: the records are of no use any more. */
async function forgetFiles(
  engine: Engine,
  context: StepContext,
  containerId: string,
): Promise<void> {
  const found = await fileMarks(engine, context, containerId);
  const ours = found.filter(({ upgrade }) => upgrade === context.upgrade);
  await removeFileMarks(engine, context, ours);
}
