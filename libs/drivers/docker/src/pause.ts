import type { DataSource, StepContext } from '#drivers/core';
import { nameOf, type ContainerInfo, type Engine } from './engine.js';
import { statusOf } from './errors.js';

export function stateOf({ State }: ContainerInfo): 'running' | 'paused' | 'stopped' {
  if (State.Paused) return 'paused';
  return State.Running || State.Restarting ? 'running' : 'stopped';
}

/** All processes of a container stand still, by the kernel's freezer; memory and connections stay as they are. */
export async function pause(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
): Promise<void> {
  await context.guard();
  context.log(`pausing ${nameOf(container)}`);
  try {
    await engine.call(`pausing ${nameOf(container)}`, context.signal, (docker, options) =>
      docker.getContainer(container.Id).pause({ ...options }),
    );
  } catch (error) {
    const now = await engine.inspect(container.Id, context.signal);
    if (now !== undefined && stateOf(now) === 'paused') return; // an earlier call of ours was carried out after all
    throw error;
  }
}

/** Whatever stands under its name by now: it is this one container that was paused. */
export async function resume(
  engine: Engine,
  context: StepContext,
  { containerId }: DataSource,
): Promise<void> {
  const found = await engine.inspect(containerId, context.signal);
  if (found === undefined || stateOf(found) !== 'paused') return;
  await context.guard();
  context.log(`${nameOf(found)} goes on`);
  try {
    await engine.call(`letting ${nameOf(found)} go on`, context.signal, (docker, options) =>
      docker.getContainer(found.Id).unpause({ ...options }),
    );
  } catch (error) {
    // gone, or let go on, in between
    const now = await engine.inspect(containerId, context.signal);
    if (statusOf(error) !== undefined && (now === undefined || stateOf(now) !== 'paused')) return;
    throw error;
  }
}
