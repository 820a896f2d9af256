import type { StepContext } from '#drivers/core';
import { isLive, nameOf, type ContainerInfo, type Engine } from './engine.js';
import { LABELS } from './labels.js';
import { startAndWatch } from './start.js';
import { stoodFor } from './successor.js';

/**
 * Starts a container that its engine took down with it, once nothing else can be at work on its data.
 * @returns what is in the way, if anything is; it may be gone at the next look
 */
export async function startAgain(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
): Promise<string | undefined> {
  const inTheWay = await relativeAtWork(engine, context, container);
  if (inTheWay !== undefined) return `it ended with its engine, and ${inTheWay} runs on its data`;
  context.log(`${nameOf(container)} ended with its engine: it is started again`, 'warn');
  await startAndWatch(engine, context, container);
  return undefined;
}

/** The one that it replaced, one that replaced it, or a helper on the data of either. */
async function relativeAtWork(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
): Promise<string | undefined> {
  const family = new Set([container.Id, ...stoodFor(container.Config.Labels)]);
  const listed = await engine.call(
    'looking for what runs on the same data',
    context.signal,
    (docker, options) =>
      docker.listContainers({
        filters: { status: ['running', 'paused', 'restarting'] },
        ...options,
      }),
  );
  const relative = listed.find(
    ({ Id, Labels }) =>
      Id !== container.Id &&
      (family.has(Id) ||
        family.has(Labels[LABELS.of] ?? '') ||
        stoodFor(Labels).includes(container.Id)),
  );
  if (relative === undefined) return undefined;
  const found = await engine.inspect(relative.Id, context.signal);
  return found !== undefined && isLive(found) ? nameOf(found) : undefined;
}
