import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { isLive, nameOf, type ContainerInfo, type Engine } from './engine.js';
import { statusOf } from './errors.js';
import { newContainersOf } from './new-containers.js';
import { assertKeepable, assertName, plannedContainer } from './planned-container.js';
import { holdBack, neverRestart } from './restart-policy.js';

/** Stops the old container so that nothing starts it again. */
export async function stop(
  engine: Engine,
  context: StepContext,
  input: ActionInput<'instance.stop'>,
): Promise<ActionOutput<'instance.stop'>> {
  const old = await plannedContainer(engine, context, input);
  assertName(input, old);
  assertKeepable(old);
  const ran = isLive(old);
  await holdBack(engine, context, old, input.stopTimeoutSeconds);
  if (ran) await stopContainer(engine, context, old, input.stopTimeoutSeconds);
  return { containerId: old.Id, found: ran ? 'done_now' : 'done_before' };
}

/** Stops whatever this upgrade made in the old container's place. What it did not make is not its to stop. */
export async function stopNew(
  engine: Engine,
  context: StepContext,
  input: ActionInput<'instance.stop-new'>,
): Promise<ActionOutput<'instance.stop-new'>> {
  const made = await newContainersOf(engine, context, input.containerId);
  const [first] = made;
  if (first === undefined) return { found: 'nothing_to_do' };
  let found: 'done_before' | 'done_now' = 'done_before';
  for (const container of made) {
    // first, so that neither the engine nor a crash loop starts it between
    await neverRestart(engine, context, container);
    if (!isLive(container)) continue;
    await stopContainer(engine, context, container, input.stopTimeoutSeconds);
    found = 'done_now';
  }
  return { containerId: first.Id, found };
}

async function stopContainer(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
  timeoutSeconds: number | undefined,
): Promise<void> {
  await context.guard();
  context.log(`stopping ${nameOf(container)}`);
  try {
    await engine.call(
      `stopping the container ${nameOf(container)}`,
      context.signal,
      (docker, options) =>
        docker.getContainer(container.Id).stop({
          ...(timeoutSeconds === undefined ? {} : { t: Math.ceil(timeoutSeconds) }),
          ...options,
        }),
    );
  } catch (error) {
    if (statusOf(error) !== 304) throw error; // it has stopped by itself in between
  }
}
