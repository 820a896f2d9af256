import { setTimeout as delay } from 'node:timers/promises';
import type { StepContext } from '#drivers/core';
import { LiftlockError, mebibytes } from '#kernel';
import { lastLines } from './container-log.js';
import { nameOf, type ContainerInfo, type Engine } from './engine.js';
import { wasOutOfMemory } from './out-of-memory.js';
import { startError } from './start-error.js';
import { statusOf } from './errors.js';

/**
 * So long after its start a container is looked at, in milliseconds: what cannot run at all has ended by then, or was started again. What
 * ends later is seen by the check that follows.
 */
const WATCH_MS = 100;

/** Starts a container and sees that it does not end at once. @throws LiftlockError `container_exited`, `port_taken`. */
export async function startAndWatch(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
): Promise<void> {
  await context.guard();
  await startOnce(engine, context, container);
  await delay(WATCH_MS, undefined, { signal: context.signal });
  const now = await engine.inspect(container.Id, context.signal);
  if (now === undefined || !now.State.Running || now.State.Restarting || restarted(container, now))
    throw await exitedError(engine, now ?? container);
}

/** Its restart policy starts it again in no time: the end itself is not seen. */
function restarted(before: ContainerInfo, now: ContainerInfo): boolean {
  return now.RestartCount > 0 && now.RestartCount !== before.RestartCount;
}

async function startOnce(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
): Promise<void> {
  try {
    await engine.call(
      `starting the container ${nameOf(container)}`,
      context.signal,
      (docker, options) => docker.getContainer(container.Id).start({ ...options }),
    );
  } catch (error) {
    if (statusOf(error) === 304) return; // it runs already
    throw error instanceof LiftlockError ? startError(error, container) : error;
  }
}

/**
 * A container that ran and ended, named, with the end of its log.
 * @param loops its restart policy starts it again and again
 */
export async function exitedError(
  engine: Engine,
  container: ContainerInfo,
  loops = false,
): Promise<LiftlockError> {
  const { Running, ExitCode, Error: reason } = container.State;
  const { Memory } = container.HostConfig;
  const outOfMemory = await wasOutOfMemory(engine, container);
  const log = await lastLines(engine, container);
  const last = log.at(-1);
  const name = nameOf(container);
  return new LiftlockError(
    outOfMemory ? 'out_of_memory' : 'container_exited',
    `the container ${name} ` +
      // while it runs the engine does not tell how it ended before
      (Running ? 'ended and was started again' : `ended with exit code ${ExitCode}`) +
      (reason === '' ? '' : ` (${reason})`) +
      (container.RestartCount > 0 ? `, after ${container.RestartCount} restarts` : '') +
      (loops ? ': it restarts in a loop' : '') +
      (outOfMemory
        ? `: the kernel killed it, since ${Memory ? `its limit of ${mebibytes(Memory)}` : 'the memory of the host'} was used up; give it more`
        : '') +
      (last === undefined ? ', and logged nothing' : `; it last logged: ${last}`),
    {
      details: {
        target: engine.name,
        container: name,
        containerId: container.Id,
        exitCode: ExitCode,
        log,
      },
    },
  );
}
