import type { PrepareStep } from '#contracts';
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
  const done = new Set<string>();
  const counts = new Map<string, number>();
  for (const { instance, image } of images) {
    const { target } = instance;
    const { reference, digest } = image.identity;
    const key = keyOf({ instance, image });
    if (done.has(key)) continue;
    done.add(key);
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
    const running = images.filter((one) => keyOf(one) === key);
    const step = maker.make('image.prepare', about, {
      image: image.identity,
      ...archive,
      ...(target.driver === 'kubernetes'
        ? { workloads: [...new Set(running.map((one) => one.instance.container))] }
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
