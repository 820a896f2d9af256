import type { StepContext } from '#drivers/core';
import { nameOf, type ContainerInfo, type Engine } from './engine.js';
import { filterOf, LABELS } from './labels.js';
import { plannedContainer, type Planned } from './planned-container.js';
import { removeFromEngine } from './remove-container.js';

/** What this upgrade made in place of the planned container, by its labels: at most one of them has the instance's name. */
export async function newContainersOf(
  engine: Engine,
  context: StepContext,
  containerId: string,
): Promise<ContainerInfo[]> {
  const listed = await engine.call(
    'looking for what this upgrade made',
    context.signal,
    (docker, options) =>
      docker.listContainers({
        all: true,
        filters: filterOf(context, 'instance', containerId),
        ...options,
      }),
  );
  const found: ContainerInfo[] = [];
  for (const { Id } of listed) {
    const container = await engine.inspect(Id, context.signal);
    if (container !== undefined) found.push(container);
  }
  return found;
}

/** The planned container; when someone removed it, the new one has the same mounts. */
export async function plannedOrNew(
  engine: Engine,
  context: StepContext,
  planned: Planned,
): Promise<ContainerInfo> {
  const old = await engine.inspect(planned.containerId, context.signal);
  if (old !== undefined) return old;
  const [made] = await newContainersOf(engine, context, planned.containerId);
  return made ?? plannedContainer(engine, context, planned);
}

/** Whether this upgrade made it in place of the planned container. */
export function isMadeFor(
  context: StepContext,
  { Config: { Labels } }: ContainerInfo,
  containerId: string,
): boolean {
  return (
    Labels[LABELS.upgrade] === context.upgrade &&
    Labels[LABELS.role] === 'instance' &&
    Labels[LABELS.of] === containerId
  );
}

/**
 * Removes a container. Named volumes stay in any case.
 * @param volumes also the anonymous volumes that nothing else uses: never of a container whose data somebody may want.
 */
export async function removeContainer(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
  volumes: 'with-volumes' | 'keep-volumes' = 'with-volumes',
): Promise<void> {
  await removeFromEngine(engine, {
    id: container.Id,
    what: `removing the container ${nameOf(container)}`,
    volumes: volumes === 'with-volumes',
    guard: () => context.guard(),
    signal: context.signal,
  });
}

export async function renameContainer(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
  name: string,
): Promise<void> {
  await context.guard();
  await engine.call(
    `renaming the container ${nameOf(container)} to ${name}`,
    context.signal,
    (docker, options) => docker.getContainer(container.Id).rename({ name, ...options }),
  );
}
