import type { ActionInput, ActionOutput } from '#contracts';
import type { ImageDriver, StepContext } from '#drivers/core';
import type { Decision, EffectWriter } from './effects.js';
import { modelImageId } from './world.js';

type Output = ActionOutput<'image.prepare'>;

export class ModelImages implements ImageDriver {
  constructor(private readonly effects: EffectWriter) {}

  async prepare(context: StepContext, input: ActionInput<'image.prepare'>): Promise<Output> {
    const { image } = input;
    const imageId = image.id ?? modelImageId(image.digest ?? image.reference);
    await this.effects.obey(context, 'image.prepare', image.reference, 'before');
    const output = await this.effects.make(context, image.reference, (world): Decision<Output> => {
      if (world.images[imageId] !== undefined) return { done: { imageId, found: 'done_before' } };
      return {
        effect: 'image-prepared',
        apply: () => {
          world.images[imageId] = image.reference;
          return { imageId, found: 'done_now' };
        },
      };
    });
    context.log(`image ${image.reference}: ${output.found}`);
    await this.effects.obey(context, 'image.prepare', image.reference, 'after');
    return output;
  }
}
