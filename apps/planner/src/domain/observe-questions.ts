import type { QueryInput } from '#contracts';
import { applicationJobImageNames, jobImageNames } from './job-images.js';
import { manifestQuestions } from './manifests.js';
import { instanceNamed, keptNameOf, type UpgradeExtent } from './instances.js';

export type ObserveQuestion = QueryInput<'observe'>;
export type ImagesQuestion = Pick<ObserveQuestion, 'target' | 'images'>;

/** Releases whose images are looked for to name the version that runs; older ones are shown as `unknown`. */
const MOST_RELEASES = 50;
/** Names that are looked for, so that each hop may keep its old container under one of them. */
export const MOST_HOPS = 50;

/**
 * What to ask of each target of which something takes part: the containers with the names that will be needed, those that are left out
 * there, and the images of all releases.
 */
export function observeQuestions(extent: UpgradeExtent): ObserveQuestion[] {
  const mostHops = Math.max(1, (extent.graph?.nodes.size ?? 0) - 1);
  const hops = Array.from({ length: Math.min(mostHops, MOST_HOPS) }, (_, index) => index + 1);
  const byTarget = Map.groupBy(extent.instances, (instance) => instance.target.name);
  const leftOut = Map.groupBy(extent.leftOut, (instance) => instance.target.name);
  return imageQuestions(extent).map(({ target, images }) => {
    const containers = (byTarget.get(target.name) ?? []).flatMap(({ container }) => [
      container,
      ...hops.map((number) => keptNameOf(container, number)),
    ]);
    containers.push(...(leftOut.get(target.name) ?? []).map(({ container }) => container));
    const manifests = manifestQuestions(byTarget.get(target.name) ?? [], extent);
    return {
      ...{ target, containers: containers.toSorted(), images },
      ...(manifests.length === 0 ? {} : { manifests }),
    };
  });
}

/** The images' part of what is asked: answers are told apart by it. */
export function imageQuestions(extent: UpgradeExtent): ImagesQuestion[] {
  const inChain = (name: string): boolean => extent.graph?.nodes.has(name) === true;
  const others = extent.releases
    .filter(({ document }) => document.metadata.name !== extent.release.document.metadata.name)
    .filter(
      ({ document }, index, all) =>
        index >= all.length - MOST_RELEASES || inChain(document.metadata.name),
    );
  const ofWhole = applicationJobImageNames(extent.application.document.spec);
  const byTarget = Map.groupBy(extent.instances, (instance) => instance.target.name);
  const leftOut = Map.groupBy(extent.leftOut, (instance) => instance.target.name);
  return [...extent.targets.values()].flatMap(({ target }): ImagesQuestion[] => {
    const here = byTarget.get(target.name) ?? [];
    if (here.length === 0) return [];
    const images = new Map<string, { reference: string; archive?: string }>();
    // which version what is left out runs is told by its image, too
    const all = [...here, ...(leftOut.get(target.name) ?? [])];
    for (const { document } of [extent.release, ...others]) {
      for (const { component } of all) {
        const wanted = document.spec.components[component.name];
        if (wanted === undefined) continue;
        const { image: reference, archive } = wanted;
        // what is asked about first is the release to go to: its archive must not be hidden by another's
        const key = imageKey(reference, archive);
        if (!images.has(key))
          images.set(key, archive === undefined ? { reference } : { reference, archive });
      }
    }
    const ofJobs = [
      ...here.flatMap(({ component }) => jobImageNames(component)),
      ...ofWhole.filter(({ instance }) => instanceNamed(here, instance) !== undefined),
    ];
    for (const { reference } of ofJobs) {
      const key = imageKey(reference, undefined);
      if (!images.has(key)) images.set(key, { reference });
    }
    return [{ target, images: [...images.values()] }];
  });
}

/** What one question about an image is known by: no reference has white space. */
export function imageKey(reference: string, archive: string | undefined): string {
  return archive === undefined ? reference : `${reference} ${archive}`;
}
