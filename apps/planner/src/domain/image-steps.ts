import { templateIn, type PrepareStep } from '#contracts';
import type { Leg } from './lane-subject.js';
import type { MirroredImages } from './mirrored-images.js';
import type { StepMaker } from './step-maker.js';

/**
 * Each image once on each target, however many instances run it; from the mirror when it is there.
 * @param mirroring the steps that bring images to the mirror, by the digest reference that they have there
 */
export function imageSteps(
  images: ReadonlyArray<Pick<Leg, 'instance' | 'image'>>,
  mirroring: ReadonlyMap<string, PrepareStep>,
  { credentials }: MirroredImages,
  maker: StepMaker,
): PrepareStep[] {
  const steps: PrepareStep[] = [];
  const counts = new Map<string, number>();
  // a template is no image, and those that it deploys are brought to other clusters
  const pulled = images.filter(({ image }) => templateIn(image.identity.reference) === undefined);
  for (const [first, ...others] of Map.groupBy(pulled, keyOf).values()) {
    if (first === undefined) continue;
    const { instance, image } = first;
    const { target } = instance;
    const { reference, digest } = image.identity;
    const count = (counts.get(target.name) ?? 0) + 1;
    counts.set(target.name, count);
    const mirrored = digest === undefined ? undefined : mirroring.get(digest);
    const about = {
      id: `prepare/${target.name}/image-${count}`,
      title: `Bring ${mirrored === undefined ? reference : digest} to ${target.name}`,
      target,
      pointer: instance.releasePointer,
    };
    const archive = image.archive === undefined ? {} : { archive: image.archive };
    const step = maker.make('image.prepare', about, {
      image: image.identity,
      ...archive,
      ...(target.driver === 'kubernetes'
        ? { workloads: [...new Set([first, ...others].map((one) => one.instance.container))] }
        : {}),
      ...(mirrored === undefined ? {} : credentials),
    });
    steps.push(mirrored === undefined ? step : { ...step, after: [mirrored.id] });
  }
  return steps;
}

function keyOf({ instance: { target }, image }: Pick<Leg, 'instance' | 'image'>): string {
  const { reference, id, digest } = image.identity;
  return [target.name, reference, id ?? '', digest ?? '', image.archive ?? ''].join(' ');
}
