import type { DriverRegistry } from '#drivers/core';
import type { StepHandlers } from '#steps';
import type { LayersService } from './layers.service.js';
import type { MirrorService } from './mirror.service.js';

/** What the mirror does: images are where they are needed before anything is stopped. */
export function mirrorHandlers(
  drivers: DriverRegistry,
  mirror: MirrorService,
  layers: LayersService,
): StepHandlers<'mirror'> {
  return {
    'image.mirror': (context, input) => mirror.mirror(context, input),
    'image.prepare': async (context, input) =>
      (await drivers.get(context.target.driver)).images.prepare(
        context,
        input,
        (platform, digest = input.image.digest) =>
          layers.of(context, { ...input, image: { ...input.image, digest } }, platform),
      ),
  };
}
