import type { ActionInput, ActionOutput } from '#contracts';
import type { FileDriver, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { markOf, type Decision, type EffectWriter } from './effects.js';
import { isPlanned } from './model-instances.js';
import { mtimeOf, type ModelVolume, type ModelWorld } from './world.js';

type Output = ActionOutput<'file.write'>;
interface Instance {
  readonly container: string;
  readonly containerId: string;
}

/** Ephemeral files lie in the container's volume like any other, with a mark. */
export class ModelFiles implements FileDriver {
  constructor(private readonly effects: EffectWriter) {}

  async prepare(
    context: StepContext,
    input: ActionInput<'file.prepare'>,
  ): Promise<ActionOutput<'file.prepare'>> {
    await this.effects.obey(context, 'file.prepare', input.container, 'before');
    const volume = volumeOf(await this.effects.store.read(), context, input);
    for (const { path } of input.files) {
      const found = volume.files[path];
      if (found !== undefined && found.writtenFor === undefined) throw inTheWay(path, input);
    }
    await this.effects.obey(context, 'file.prepare', input.container, 'after');
    return {};
  }

  async write(context: StepContext, input: ActionInput<'file.write'>): Promise<Output> {
    const { container, files } = input;
    await this.effects.obey(context, 'file.write', container, 'before');
    const output = await this.effects.make(context, container, (world): Decision<Output> => {
      const volume = volumeOf(world, context, input);
      const effect = 'file-written';
      for (const { path } of files) {
        const found = volume.files[path];
        if (found !== undefined && found.writtenFor === undefined) throw inTheWay(path, input);
      }
      const isThere = ({ path, content }: (typeof files)[number]): boolean =>
        volume.files[path]?.content === content;
      if (files.every(isThere)) return { done: { found: 'done_before' } };
      return {
        effect,
        apply: (at) => {
          for (const { path, content } of files) {
            volume.files[path] = { content, mtime: mtimeOf(at), writtenFor: markOf(context) };
          }
          return { found: 'done_now' };
        },
      };
    });
    context.log(`file.write of ${container}: ${output.found}`);
    await this.effects.obey(context, 'file.write', container, 'after');
    return output;
  }

  async remove(context: StepContext, input: ActionInput<'file.remove'>): Promise<Output> {
    const { container, paths } = input;
    await this.effects.obey(context, 'file.remove', container, 'before');
    const output = await this.effects.make(context, container, (world): Decision<Output> => {
      const volume = volumeOf(world, context, input);
      const ours = paths.filter(
        (path) => volume.files[path]?.writtenFor?.upgrade === context.upgrade,
      );
      if (ours.length === 0) return { done: { found: 'nothing_to_do' } };
      return {
        effect: 'file-removed',
        apply: () => {
          for (const path of ours) delete volume.files[path];
          return { found: 'done_now' };
        },
      };
    });
    context.log(`file.remove of ${container}: ${output.found}`);
    await this.effects.obey(context, 'file.remove', container, 'after');
    return output;
  }
}

function volumeOf(
  world: ModelWorld,
  { upgrade }: StepContext,
  { container, containerId }: Instance,
): ModelVolume {
  const found = Object.values(world.containers).find((one) => isPlanned(one, upgrade, containerId));
  const volume = found?.volume === undefined ? undefined : world.volumes[found.volume];
  if (volume !== undefined) return volume;
  throw new LiftlockError('data_missing', `the container ${container} has no data`);
}

function inTheWay(path: string, { container }: Instance): LiftlockError {
  return new LiftlockError(
    'not_empty',
    `${path} of ${container} is there already, and is not ours: move it away, or take it out of the component's files`,
  );
}
