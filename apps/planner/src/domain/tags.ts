import type { Observation } from '#contracts';
import { applicationJobImageNames, jobImageNames } from './job-images.js';
import { digestIn } from './image-digest.js';
import { instanceNamed, type UpgradeExtent } from './instances.js';

/** A reference that says which registry it is of: `registry.example.com/web:2.0`, `127.0.0.1:5000/web`. */
const OF_A_REGISTRY = /^(?:[^/@]*[.:][^/@]*|localhost)\/[^@]+$/;

/**
 * Tags that only a registry can tell the digest of: of the release that is asked for, and of those that a way may lead by, where the
 * target has not the image and there is no archive. A name without a registry is asked of nobody.
 */
export function tagsToResolve(
  extent: UpgradeExtent,
  observations: readonly Observation[],
): string[] {
  const onWay = [...(extent.graph?.nodes.values() ?? [])].flatMap(({ release }) => release ?? []);
  const releases = [extent.release, ...onWay];
  const present = new Set(
    observations.flatMap(({ target, images }) =>
      images.filter((image) => image.present).map(({ reference }) => `${target} ${reference}`),
    ),
  );
  const tags = new Set<string>();
  const add = (image: string, target: string): void => {
    if (digestIn(image) !== undefined || !OF_A_REGISTRY.test(image)) return;
    if (!present.has(`${target} ${image}`)) tags.add(image);
  };
  for (const { component, target } of extent.instances) {
    for (const { document } of releases) {
      const wanted = document.spec.components[component.name];
      if (wanted !== undefined && wanted.archive === undefined) add(wanted.image, target.name);
    }
    for (const { reference } of jobImageNames(component)) add(reference, target.name);
  }
  for (const { reference, instance } of applicationJobImageNames(
    extent.application.document.spec,
  )) {
    const beside = instanceNamed(extent.instances, instance);
    if (beside !== undefined) add(reference, beside.target.name);
  }
  return [...tags].toSorted();
}
