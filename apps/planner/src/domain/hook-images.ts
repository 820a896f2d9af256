import type { WantedImage } from './wanted-image.js';
import { wantedImage, type Surveyed } from './images.js';
import { instanceNamed, type Instance, type UpgradeExtent } from './instances.js';
import { applicationJobImageNames, jobImageNames } from './job-images.js';
import { pointerOf, type Problems } from './problems.js';
import type { Survey } from './survey.js';

/** Each is pinned as an instance's own image is; what cannot be goes to the problems. */
export function jobImagesOf(
  instance: Instance,
  seen: Surveyed,
  problems: Problems,
  warn: (warning: string) => void,
): ReadonlyMap<string, WantedImage> {
  const images = new Map<string, WantedImage>();
  for (const { pointer, reference } of jobImageNames(instance.component)) {
    const place = `${instance.pointer}${pointer}`;
    const image = pinned(instance, reference, place, seen, problems, warn);
    if (image !== undefined) images.set(reference, image);
  }
  return images;
}

/** An image that a job of the whole application names. */
export interface HookImage {
  /** Beside which the job runs, and to whose target the image is brought. */
  readonly instance: Instance;
  readonly reference: string;
  readonly image: WantedImage;
}

/** The same for those that jobs of the whole application name, where each of them runs. */
export function applicationJobImages(
  { application, instances }: Pick<UpgradeExtent, 'application' | 'instances'>,
  { seen }: Pick<Survey, 'seen'>,
  problems: Problems,
  warn: (warning: string) => void,
): HookImage[] {
  const { metadata, spec } = application.document;
  return applicationJobImageNames(spec).flatMap(({ pointer, reference, instance: named }) => {
    const instance = instanceNamed(instances, named);
    const at = instance === undefined ? undefined : seen.get(instance.target.name);
    if (instance === undefined || at === undefined) return [];
    const place = `${pointerOf('applications', metadata.name, 'spec')}${pointer}`;
    const image = pinned(instance, reference, place, at, problems, warn);
    return image === undefined ? [] : [{ instance, reference, image }];
  });
}

function pinned(
  instance: Instance,
  reference: string,
  releasePointer: string,
  seen: Surveyed,
  problems: Problems,
  warn: (warning: string) => void,
): WantedImage | undefined {
  const about = { ...instance, wanted: { image: reference, env: {} }, releasePointer };
  return wantedImage(about, seen, problems, warn);
}
