import { setTimeout as delay } from 'node:timers/promises';
import type { ActionInput, ActionOutput, Check } from '#contracts';
import {
  failure,
  httpLook,
  isAway,
  isWaitedFor,
  seen,
  tcpLook,
  untilPassed,
  type Look,
  type LookResult,
  type Seen,
  type StepContext,
} from '#drivers/core';
import { assertNever, LiftlockError } from '#kernel';
import { commandLook } from './check-command.js';
import { LogLook } from './check-log.js';
import { isLive, nameOf, type ContainerInfo, type Engine } from './engine.js';
import { endedWithEngine } from './engine-crash.js';
import { abortedBy } from './errors.js';
import { healthOf } from './observe.js';
import { exitedError } from './start.js';
import { startAgain } from './start-again.js';

/** Restarts by the engine after which a container that has not run for `SETTLED_MS` since counts as one that cannot run. */
const LOOP_RESTARTS = 3;
/** The engine itself forgets about earlier restarts after a run of 10 seconds. */
const SETTLED_MS = 10_000;
/** An engine that is away, or a container that ended in the middle of a look: the next look knows more. */
const MISSES: ReadonlySet<string> = new Set(['target_unreachable', 'target_refused']);

type Input = ActionInput<'instance.check'>;

/** Looks until the check passes, and has gone on passing for its stable time. */
export async function check(
  engine: Engine,
  context: StepContext,
  input: Input,
): Promise<ActionOutput<'instance.check'>> {
  const look = lookOf(engine, input.check);
  return untilPassed(input.check, {
    look: (late) => lookOnce(engine, context, input, look, late),
    pause: (atMostMs) => pause(atMostMs, context.signal),
    failed: (looks, last, wanted) => failedError(engine, input, looks, last, wanted),
  });
}

/** One look; an engine that is away for a moment is a miss, not an end. */
async function lookOnce(
  engine: Engine,
  context: StepContext,
  input: Input,
  look: Look<ContainerInfo>,
  late: AbortSignal,
): Promise<LookResult> {
  const signal = AbortSignal.any([context.signal, late]);
  let run: string | undefined;
  let isFirstRun = false;
  try {
    const container = await engine.inspect(input.container, signal);
    const wrong = await notYet(engine, context, input, container, signal);
    if (wrong !== undefined || container === undefined)
      return { seen: seen(false, wrong ?? 'not there'), run };
    run = `${container.Id} ${container.State.StartedAt}`;
    isFirstRun = container.RestartCount === 0;
    return { seen: await look(container, signal), run, isFirstRun };
  } catch (error) {
    if (context.signal.aborted) throw abortedBy(context.signal, `checking ${input.container}`);
    // an engine that starts takes the connection, and says nothing
    if (late.aborted)
      return {
        seen: undefined,
        run,
        isFirstRun,
        away: run === undefined && isWaitedFor(engine, context),
      };
    if (error instanceof LiftlockError && !MISSES.has(error.code)) throw error;
    const what = seen(false, error instanceof Error ? error.message : String(error));
    return { seen: what, run, isFirstRun, away: isAway(error) && isWaitedFor(engine, context) };
  }
}

/** Why the check cannot pass now, since the instance is not what is to be checked; throws when it never will. */
async function notYet(
  engine: Engine,
  context: StepContext,
  input: Input,
  container: ContainerInfo | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (container === undefined) return `there is no container ${input.container}`;
  if (input.imageId !== undefined && container.Image !== input.imageId)
    return `it runs the image ${container.Image}, not ${input.imageId}`;
  if (input.imageDigest !== undefined && input.imageId === undefined) {
    const image = await engine.inspectImage(container.Image, signal);
    if (!(image?.RepoDigests ?? []).includes(input.imageDigest))
      return `its image ${container.Image} is not known as ${input.imageDigest}`;
  }
  const { Status, Restarting, StartedAt } = container.State;
  const ranMs = Date.now() - Date.parse(StartedAt);
  const loops =
    container.RestartCount >= LOOP_RESTARTS &&
    (Restarting || (isLive(container) && ranMs < SETTLED_MS));
  if (await endedWithEngine(engine, container, signal))
    return (await startAgain(engine, context, container)) ?? 'it was started again';
  if (Status === 'exited' || Status === 'dead' || loops)
    throw await exitedError(engine, container, loops);
  if (Status !== 'running') return `it is ${Status}`;
  return undefined;
}

function lookOf(engine: Engine, wanted: Check): Look<ContainerInfo> {
  switch (wanted.type) {
    case 'http':
      return httpLook(wanted);
    case 'tcp':
      return tcpLook(wanted);
    case 'log': {
      const log = new LogLook(engine, wanted);
      return (container, signal) => log.look(container, signal);
    }
    case 'health':
      return async (container) => healthLook(container);
    case 'command':
      return commandLook(engine, wanted);
    case 'running':
      return async (container) =>
        seen(true, `running since ${container.State.StartedAt} (${container.Id.slice(0, 12)})`);
    default:
      return assertNever(wanted, 'check');
  }
}

function healthLook(container: ContainerInfo): Seen {
  const health = healthOf(container);
  if (health === 'none') {
    throw failure(
      `${nameOf(container)} has no health check of its own: give its image a HEALTHCHECK, or the component another check`,
      { container: nameOf(container) },
    );
  }
  const last = container.State.Health?.Log?.at(-1)?.Output.trim().slice(0, 500);
  return seen(health === 'healthy', `${health}${last ? ` (${last})` : ''}`);
}

function failedError(
  engine: Engine,
  input: Input,
  looks: number,
  last: Seen,
  wanted: string,
): LiftlockError {
  const { type, deadlineSeconds } = input.check;
  return failure(
    `the ${type} check of ${input.container} on ${engine.name} did not pass within ${deadlineSeconds} s; last seen: ${last.detail}${wanted}`,
    { container: input.container, check: type, looks, lastSeen: last.detail },
  );
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal });
  } catch {
    throw abortedBy(signal, 'checking');
  }
}
