import { setTimeout as delay } from 'node:timers/promises';
import type { ActionInput, ActionOutput } from '#contracts';
import { despiteRestarts, type StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { ContainerInfo, Engine } from './engine.js';
import { statusOf } from './errors.js';
import { execute } from './exec.js';
import { environmentOf, hookInstance, keepWords } from './hook-instance.js';

/** For so long after a failed undo its container may take to be seen to have ended, in milliseconds: the engine hears of the command first. */
const ENDING_MS = 3000;
const LOOK_MS = 100;

/** A command inside the instance's container, once. */
export async function runHookCommand(
  engine: Engine,
  context: StepContext,
  input: ActionInput<'hook.command'>,
): Promise<ActionOutput<'hook.command'>> {
  const { container, work, onlyWhileRunning } = input;
  // to look may be done again; to run not: nobody could tell whether it ran
  const found = await despiteRestarts(engine, context, () => hookInstance(engine, context, input));
  if (!takesCommands(found)) {
    if (onlyWhileRunning) return nothingToUndo(context, container);
    throw new LiftlockError(
      'hook_failed',
      `the hook is not run: ${container} on ${engine.name} is ${found.State.Status}`,
      { details: { container, state: found.State.Status } },
    );
  }
  await context.guard();
  try {
    return await run(engine, context, found, input);
  } catch (error) {
    const failed = asHookFailed(error, `${work.command[0] ?? ''} in ${container}`);
    const { aborted } = context.signal;
    if (!onlyWhileRunning || failed.code !== 'hook_failed' || aborted) throw failed;
    // what was to be undone in that run has ended with it
    if (await hasEnded(engine, context, found)) return nothingToUndo(context, container);
    throw failed;
  }
}

async function run(
  engine: Engine,
  context: StepContext,
  found: ContainerInfo,
  { container, work }: ActionInput<'hook.command'>,
): Promise<ActionOutput<'hook.command'>> {
  const { command, user, exitCode: wanted } = work;
  const { exitCode, stdout, stderr } = await execute(
    engine,
    found.Id,
    { command, env: environmentOf(work.env), user },
    context.signal,
  );
  const said = keepWords(context, linesOf(`${stdout}\n${stderr}`));
  if (exitCode === wanted) return { found: 'done_now', exitCode, said };
  const last = said.at(-1);
  throw new LiftlockError(
    'hook_failed',
    `${command[0] ?? ''} in ${container} on ${engine.name} ended with ${exitCode}, not ${wanted}` +
      (last === undefined ? ', and said nothing' : `; it last said: ${last}`),
    { details: { container, exitCode, said } },
  );
}

function nothingToUndo(context: StepContext, container: string): ActionOutput<'hook.command'> {
  context.log(`${container} does not run: there is nothing to undo in it`);
  return { found: 'nothing_to_do', said: [] };
}

/** Between two runs of a crash loop the engine says that it runs. */
function takesCommands({ State }: ContainerInfo): boolean {
  return State.Running && !State.Paused && !State.Restarting;
}

/** An engine that says of a container that it does not run, or is not there, refuses nothing: it is the container that failed. */
function asHookFailed(error: unknown, what: string): LiftlockError {
  const known = LiftlockError.from(error);
  const status = statusOf(error);
  const isContainer =
    status === 404 || status === 409 || (status === 500 && /is not running/.test(known.message));
  if (!isContainer) return known;
  return new LiftlockError('hook_failed', `${what}: ${known.message}`, {
    cause: error,
    ...(known.details === undefined ? {} : { details: known.details }),
  });
}

async function hasEnded(
  engine: Engine,
  { signal }: StepContext,
  { Id, State }: ContainerInfo,
): Promise<boolean> {
  const until = performance.now() + ENDING_MS;
  for (;;) {
    const now = await engine.inspect(Id, signal);
    if (now === undefined || !takesCommands(now) || now.State.StartedAt !== State.StartedAt)
      return true;
    if (performance.now() >= until) return false;
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line !== '');
}
