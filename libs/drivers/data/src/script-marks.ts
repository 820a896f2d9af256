import { readdir, readFile } from 'node:fs/promises';
import { someAtATime, waitFor } from '#kernel';
import type { StepContext } from '#drivers/core';

/** In the environment of each process of a script: what it works on, and for which attempt. */
const VARIABLE = 'LIFTLOCK_SCRIPT=';
/** For so long a process that was killed may go on: its file system may be away. */
const DEADLINE_MS = 60_000;
/** Of processes that are looked at; a file or two of each is open meanwhile. */
const AT_A_TIME = 32;

export interface ScriptMark {
  /** What the script works on: two of one upgrade are never wanted at the same time. */
  readonly of: string;
  readonly upgrade: string;
  readonly step: string;
  readonly token: number;
}

export function markOf({ upgrade, stepId, token }: StepContext, of: string): ScriptMark {
  return { of, upgrade, step: stepId, token };
}

export function asVariable(mark: ScriptMark): Record<string, string> {
  return {
    [VARIABLE.slice(0, -1)]: JSON.stringify([mark.of, mark.upgrade, mark.step, mark.token]),
  };
}

/** Numbers of the processes of all scripts of this machine, as far as this one may see them. */
export async function scriptProcesses(): Promise<ReadonlyMap<number, ScriptMark>> {
  const found = new Map<number, ScriptMark>();
  await eachProcess(async (number) => {
    // one that has ended, or is another user's
    const environment = await readFile(`/proc/${number}/environ`, 'latin1').catch(() => '');
    const mark = environment.split('\0').find((one) => one.startsWith(VARIABLE));
    const parsed = mark === undefined ? undefined : parse(mark.slice(VARIABLE.length));
    if (parsed !== undefined) found.set(number, parsed);
  });
  return found;
}

/**
 * Looks at each process of this machine by its number, at several at a time: one by one, each look would wait anew for a processor, and a
 * service is away meanwhile.
 */
export async function eachProcess(look: (number: number) => Promise<void>): Promise<void> {
  const numbers = (await readdir('/proc')).map(Number).filter(Number.isInteger);
  await someAtATime(numbers, AT_A_TIME, look);
}

/**
 * Ends what other attempts left at work on the same, on this machine. One on another machine has ended by itself when its service did.
 * @throws LiftlockError `timeout` when it cannot be ended
 */
export async function endLeftovers(context: StepContext, of: string): Promise<void> {
  const leftovers = async (): Promise<number[]> =>
    [...(await scriptProcesses())]
      .filter(([, mark]) => mark.of === of && mark.upgrade === context.upgrade)
      .filter(([, { step, token }]) => step !== context.stepId || token !== context.token)
      .map(([number]) => number);
  if ((await leftovers()).length === 0) return;
  await context.guard();
  context.log('a script that an earlier attempt left at work on the data is ended');
  await waitFor(
    async () => {
      const found = await leftovers();
      for (const number of found) kill(number);
      return found.length === 0;
    },
    {
      what: 'the end of the script that an earlier attempt left',
      ...{ deadlineMs: DEADLINE_MS, signal: context.signal },
    },
  );
}

/** It may have ended meanwhile. @param number of a process, or, below zero, of a group */
export function kill(number: number): void {
  try {
    process.kill(number, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function parse(json: string): ScriptMark | undefined {
  try {
    const [of, upgrade, step, token] = JSON.parse(json) as [string, string, string, number];
    return { of, upgrade, step, token };
  } catch {
    return undefined;
  }
}
