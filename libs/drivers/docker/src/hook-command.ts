import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Engine } from './engine.js';
import { execute } from './exec.js';
import { environmentOf, hookInstance, keepWords } from './hook-instance.js';

/** A command inside the instance's container, once. */
export async function runHookCommand(
  engine: Engine,
  context: StepContext,
  input: ActionInput<'hook.command'>,
): Promise<ActionOutput<'hook.command'>> {
  const { container, work, onlyWhileRunning } = input;
  const found = await hookInstance(engine, context, input);
  if (!found.State.Running || found.State.Paused) {
    if (onlyWhileRunning) {
      context.log(`${container} does not run: there is nothing to undo in it`);
      return { found: 'nothing_to_do', said: [] };
    }
    throw new LiftlockError(
      'hook_failed',
      `the hook is not run: ${container} on ${engine.name} is ${found.State.Status}`,
      { details: { container, state: found.State.Status } },
    );
  }
  const { command, user, exitCode: wanted } = work;
  const env = environmentOf(work.env);
  await context.guard();
  const { exitCode, stdout, stderr } = await execute(
    engine,
    found.Id,
    { command, env, user },
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

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line !== '');
}
