import type { DataEntry, StepContext } from '#drivers/core';
import { seconds } from './check-log.js';
import { isLive, type ContainerInfo, type Engine } from './engine.js';
import { newContainersOf } from './new-containers.js';
import { heldBack } from './restart-policy.js';

/**
 * Whether the data is certain to be as the container left it that this upgrade stopped. That no new container was ever started is not enough:
 * one that was may be gone (removed by a person, or by the way back of a later hop), and jobs write, too. So nothing at all may have been
 * changed since the old one ended, which in turn must not have run again on what others wrote.
 * @param list what lies there now; asked only where the containers do not tell already
 */
export async function isAsLeft(
  engine: Engine,
  context: StepContext,
  old: ContainerInfo,
  list: () => Promise<readonly DataEntry[]>,
): Promise<boolean> {
  if (isLive(old)) return false;
  const made = await newContainersOf(engine, context, old.Id);
  if (!made.every(wasNeverStarted)) return false;
  const held = await heldBack(engine, context, old.Id);
  // cut to whole seconds: where that leaves it open it may have been started since
  if (held === undefined || Date.parse(old.State.StartedAt) >= held.sinceMs) return false;
  const ended = nanoseconds(seconds(old.State.FinishedAt));
  return (await list()).every(
    ({ changed }) => changed !== undefined && nanoseconds(changed) <= ended,
  );
}

/** The engine refused its start, or was never asked for it. */
function wasNeverStarted({ State }: ContainerInfo): boolean {
  return State.Status === 'created' && State.StartedAt.startsWith('0001-');
}

/** Of `seconds.nanoseconds`: more digits than a number has. */
function nanoseconds(time: string): bigint {
  return BigInt(time.replace('.', ''));
}
