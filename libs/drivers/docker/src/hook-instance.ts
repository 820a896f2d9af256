import { LiftlockError } from '#kernel';
import type { StepContext } from '#drivers/core';
import type { ContainerInfo, Engine } from './engine.js';

export interface HookInstance {
  readonly container: string;
  readonly imageId?: string | undefined;
  readonly imageDigest?: string | undefined;
}

/**
 * The container that a hook is about, running or not.
 * @throws LiftlockError `drift` when what has its name is something else.
 */
export async function hookInstance(
  engine: Engine,
  context: StepContext,
  { container, imageId, imageDigest }: HookInstance,
): Promise<ContainerInfo> {
  const refuse = (why: string): LiftlockError =>
    new LiftlockError('drift', `the hook is not run: ${why} on ${engine.name}`, {
      details: { container, target: engine.name },
    });
  const found = await engine.inspect(container, context.signal);
  if (found === undefined) throw refuse(`there is no container ${container}`);
  if (imageId !== undefined && found.Image !== imageId)
    throw refuse(`${container} runs the image ${found.Image}, not ${imageId}`);
  if (imageDigest !== undefined && imageId === undefined) {
    const image = await engine.inspectImage(found.Image, context.signal);
    if (!(image?.RepoDigests ?? []).includes(imageDigest))
      throw refuse(`the image of ${container} is not known as ${imageDigest}`);
  }
  return found;
}

/** Lines of a hook's that are kept. */
const KEPT_LINES = 20;
const LONGEST_LINE = 1000;

/** The last of what a hook said: written to the step's log, and told with its result. */
export function keepWords(context: StepContext, lines: readonly string[]): string[] {
  const kept = lines.slice(-KEPT_LINES).map((line) => line.slice(0, LONGEST_LINE));
  for (const line of kept) context.log(line);
  return kept;
}

export function environmentOf(variables: Readonly<Record<string, string>>): string[] {
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}
