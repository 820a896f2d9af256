import { makerOf } from '#contracts';
import type { StepContext } from '#drivers/core';
import { nameOf, type Engine } from './engine.js';
import { LABELS } from './labels.js';

interface Planned {
  readonly container: string;
  readonly containerId: string;
  readonly keptName?: string | undefined;
}

/**
 * The input with the ID of the container that it is about: where a hop begins with what an earlier hop of the same upgrade made, the plan
 * names the step, and the marks tell the container. Where there is none (any more), the ID stays one that no container has.
 */
export async function withPlannedId<I extends object>(
  engine: Engine,
  context: StepContext,
  input: I,
): Promise<I> {
  if (!isPlanned(input)) return input;
  const step = makerOf(input.containerId);
  if (step === undefined) return input;
  const listed = await engine.call(
    'looking for what an earlier hop made',
    context.signal,
    (docker, options) =>
      docker.listContainers({
        all: true,
        filters: {
          label: [
            `${LABELS.upgrade}=${context.upgrade}`,
            `${LABELS.role}=instance`,
            `${LABELS.step}=${step}`,
          ],
        },
        ...options,
      }),
  );
  const found = await Promise.all(listed.map(({ Id }) => engine.inspect(Id, context.signal)));
  const named = (name: string | undefined) =>
    found.find((one) => one !== undefined && nameOf(one) === name);
  // a half-made one of a lost attempt has neither name
  const container = named(input.keptName) ?? named(input.container) ?? found[0];
  return { ...input, containerId: container?.Id ?? NOBODY };
}

const NOBODY = '0'.repeat(64);

function isPlanned(input: object): input is Planned {
  return 'containerId' in input && typeof input.containerId === 'string' && 'container' in input;
}
