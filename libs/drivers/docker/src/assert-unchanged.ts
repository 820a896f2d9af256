import type { ActionInput, ActionOutput } from '#contracts';
import { assertAsPlanned, type StepContext } from '#drivers/core';
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
  const expected = { containerId, imageId, running };
  // it is to be stopped next anyway, and what takes its place is started; on the way back, so is it
  const wentDown = running && found && (await endedWithEngine(engine, found, context.signal));
  if (wentDown) context.log(`${container} ended with its engine, and not by itself`, 'warn');
  const actual = found && {
    containerId: found.Id,
    imageId: found.Image,
    running: wentDown || isLive(found),
  };
  assertAsPlanned(`the container ${container} on ${engine.name}`, expected, actual, { container });
  return {};
}
