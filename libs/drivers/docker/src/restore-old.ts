import { setTimeout as delay } from 'node:timers/promises';
import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { isLive, nameOf, type ContainerInfo, type Engine } from './engine.js';
import { abortedBy } from './errors.js';
import { removeLeftovers } from './helper.js';
import { isMadeFor, newContainersOf, renameContainer } from './new-containers.js';
import { drift, plannedContainer, short } from './planned-container.js';
import { giveBack, heldBack, policyBefore, removeRecord } from './restart-policy.js';
import { startAndWatch } from './start.js';

/** How long the engine gives a container that it stops, in seconds, unless the step or the container says otherwise; and a while to see that it has ended. */
const STOP_SECONDS = 10;
const MARGIN_SECONDS = 10;
/** Of the step's time, for what is to be done besides: the plan gives it time for what its documents say, not for a container's own. */
const SPARE_SECONDS = 40;
const LOOK_MS = 100;

type Input = ActionInput<'instance.restore-old'>;

/** Gives the old container its name, its restart policy and, where it ran before, its life back. */
export async function restoreOld(
  engine: Engine,
  context: StepContext,
  input: Input,
): Promise<ActionOutput<'instance.restore-old'>> {
  const old = await plannedContainer(engine, context, input);
  const made = await newContainersOf(engine, context, input.containerId);
  const live = made.find(isLive);
  if (live !== undefined) throw stillRuns(live);
  // of a snapshot that was broken off: nothing of ours works on its data while it runs
  await removeLeftovers(engine, context, old.Id);
  let changed = await takeNameBack(engine, context, input, old, made);
  if (input.start && !(await staysUp(engine, context, old))) {
    const { Name: policy } = await policyBefore(engine, context, old, made);
    await startAndWatch(engine, context, old).catch((error: unknown) => {
      // as it would be without us: its policy is to start it again
      if (policy === 'no' || !hasEnded(error)) throw error;
    });
    changed = true;
  }
  // after the start: until then an engine that comes back must not start it by itself
  changed = (await giveBack(engine, context, old, made)) || changed;
  if (input.start) changed = (await startAfterAll(engine, context, old)) || changed;
  changed = (await removeRecord(engine, context, old.Id)) || changed;
  return { containerId: old.Id, found: changed ? 'done_now' : 'done_before' };
}

/**
 * What ended before it had its policy back was started by nothing. From here on what its policy starts again is left to the check, which
 * knows how long it may take.
 * @returns whether it had to be started
 */
async function startAfterAll(
  engine: Engine,
  context: StepContext,
  old: ContainerInfo,
): Promise<boolean> {
  const isUp = async (): Promise<boolean> => {
    const now = await engine.inspect(old.Id, context.signal);
    return now !== undefined && isLive(now);
  };
  if (await isUp()) return false;
  context.log(
    `${nameOf(old)} ended before it had its restart policy back: it is started once more`,
  );
  try {
    await startAndWatch(engine, context, old);
  } catch (error) {
    if (!hasEnded(error) || !(await isUp())) throw error;
  }
  return true;
}

function hasEnded(error: unknown): boolean {
  return (
    error instanceof LiftlockError &&
    (error.code === 'container_exited' || error.code === 'out_of_memory')
  );
}

/**
 * Whether it runs and goes on running. An engine goes on with a stop whose asker has gone (its step was called back, or its process died): what
 * has run since before this upgrade held it back is looked at for as long as such a stop may take.
 */
async function staysUp(engine: Engine, context: StepContext, old: ContainerInfo): Promise<boolean> {
  if (!isLive(old)) return false;
  const held = await heldBack(engine, context, old.Id);
  if (held === undefined || Date.parse(old.State.StartedAt) > held.sinceMs + 1_000) return true;
  // a field of the API that the client's types leave out
  const { StopTimeout = STOP_SECONDS } = old.Config as { StopTimeout?: number };
  const seconds = Math.min(
    (held.stopTimeoutSeconds ?? StopTimeout) + MARGIN_SECONDS,
    context.timeoutSeconds - SPARE_SECONDS,
  );
  context.log(`${nameOf(old)} runs: it is seen in ${seconds} s whether a stop of it is under way`);
  const until = performance.now() + seconds * 1_000;
  while (performance.now() < until) {
    const now = await engine.inspect(old.Id, context.signal);
    if (now === undefined || !isLive(now)) return false;
    await delay(LOOK_MS, undefined, { signal: context.signal }).catch(() => {
      throw abortedBy(context.signal, `looking whether ${nameOf(old)} stays up`);
    });
  }
  return true;
}

async function takeNameBack(
  engine: Engine,
  context: StepContext,
  input: Input,
  old: ContainerInfo,
  made: readonly ContainerInfo[],
): Promise<boolean> {
  if (nameOf(old) === input.container) return false;
  if (nameOf(old) !== input.keptName) {
    throw drift(
      `the container ${short(old.Id)} was kept as ${input.keptName} and is now named ${nameOf(old)}: name it ${input.container}, and try again`,
      input,
      old,
    );
  }
  const holder = await engine.inspect(input.container, context.signal);
  if (holder !== undefined) {
    // the engine goes on with a create whose asker has gone: one may have come since they were looked for
    const ours = made.some(({ Id }) => Id === holder.Id) || isMadeFor(context, holder, old.Id);
    if (!ours) throw inTheWay(holder);
    await renameContainer(engine, context, holder, failedName(context, holder));
  }
  await renameContainer(engine, context, old, input.container);
  return true;
}

/** The failed one is kept for a look until the upgrade is finished off; its id tells several apart. */
function failedName(context: StepContext, container: ContainerInfo): string {
  return `${nameOf(container)}-failed-${context.upgrade.slice(-8)}-${container.Id.slice(0, 4)}`;
}

function stillRuns(container: ContainerInfo): LiftlockError {
  return new LiftlockError(
    'data_in_use',
    `${nameOf(container)} (${short(container.Id)}), which this upgrade made, still runs: old and new must never run on the same data; it is stopped first`,
    { details: { container: nameOf(container), containerId: container.Id } },
  );
}

function inTheWay(container: ContainerInfo): LiftlockError {
  return new LiftlockError(
    'not_empty',
    `a container that this upgrade did not make (${short(container.Id)}) holds the name ${nameOf(container)}: rename or remove it, and try again`,
    { details: { container: nameOf(container), containerId: container.Id } },
  );
}
