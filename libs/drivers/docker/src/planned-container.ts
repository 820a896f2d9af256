import { LiftlockError } from '#kernel';
import type { StepContext } from '#drivers/core';
import { autoRemoveProblem } from './auto-remove.js';
import { nameOf, type ContainerInfo, type Engine } from './engine.js';

export interface Planned {
  readonly container: string;
  readonly containerId: string;
}

/**
 * The container that was observed when the plan was made: no other is ever touched in its place.
 * @throws LiftlockError `drift` when it is gone.
 */
export async function plannedContainer(
  engine: Engine,
  context: StepContext,
  planned: Planned,
): Promise<ContainerInfo> {
  const found = await engine.inspect(planned.containerId, context.signal);
  if (found !== undefined) return found;
  const other = await engine.inspect(planned.container, context.signal);
  throw drift(
    `the container ${planned.container} (${short(planned.containerId)}) is gone from ${engine.name}` +
      (other === undefined ? '' : `; under its name is another one now (${short(other.Id)})`) +
      ': make a new plan',
    planned,
    other,
  );
}

/** Stands under the name it had when the plan was made. */
export function assertName(planned: Planned, found: ContainerInfo): void {
  if (nameOf(found) !== planned.container) {
    throw drift(
      `the container ${short(found.Id)} was named ${planned.container} and is now named ${nameOf(found)}: name it as before, or make a new plan`,
      planned,
      found,
    );
  }
}

/** What engines delete when it stops cannot be kept for the way back. */
export function assertKeepable(found: ContainerInfo): void {
  const problem = autoRemoveProblem(found);
  if (problem !== undefined) {
    throw new LiftlockError(
      'target_refused',
      `the container ${nameOf(found)} cannot be upgraded: ${problem}`,
      { details: { container: nameOf(found), containerId: found.Id } },
    );
  }
}

export function drift(message: string, planned: Planned, found?: ContainerInfo): LiftlockError {
  return new LiftlockError('drift', message, {
    details: {
      expected: { container: planned.container, containerId: planned.containerId },
      found:
        found === undefined
          ? null
          : {
              container: nameOf(found),
              containerId: found.Id,
              imageId: found.Image,
              state: found.State.Status,
            },
    },
  });
}

export function short(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
