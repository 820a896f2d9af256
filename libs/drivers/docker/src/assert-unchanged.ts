import type { ActionInput, ActionOutput } from '#contracts';
import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { isLive, type Engine } from './engine.js';
import { endedWithEngine } from './engine-crash.js';

/** Nothing has happened to the instance since the plan was made. */
export async function assertUnchanged(
  engine: Engine,
  context: StepContext,
  input: ActionInput<'instance.assert-unchanged'>,
): Promise<ActionOutput<'instance.assert-unchanged'>> {
  const { container, containerId, imageId, running } = input;
  const found = await engine.inspect(container, context.signal);
  const expected: Record<string, unknown> = { containerId, imageId, running };
  // it is to be stopped next anyway, and what takes its place is started; on the way back, so is it
  const wentDown = running && found && (await endedWithEngine(engine, found, context.signal));
  if (wentDown) context.log(`${container} ended with its engine, and not by itself`, 'warn');
  const actual: Record<string, unknown> | undefined = found && {
    containerId: found.Id,
    imageId: found.Image,
    running: wentDown || isLive(found),
  };
  const changed = Object.keys(expected).filter((key) => expected[key] !== actual?.[key]);
  if (changed.length === 0) return {};
  const what =
    actual === undefined
      ? 'it is gone'
      : changed
          .map((key) => `${key} was ${String(expected[key])}, is ${String(actual[key])}`)
          .join('; ');
  throw new LiftlockError(
    'drift',
    `the container ${container} on ${engine.name} is not as it was planned: ${what}; make a new plan`,
    { details: { container, expected, found: actual ?? null } },
  );
}
