import { templateIn, type ReleaseDocument } from '#contracts';
import type { Instance } from './instances.js';
import { isService } from './services.js';
import type { MirroredImages } from './mirrored-images.js';
import type { ReleaseComponent, Stored } from './planning-documents.js';
import { withDigest } from './expand-release.js';
import { digestIn } from './image-digest.js';
import { pointerOf, type Problems } from './problems.js';
import type { SeenTarget } from './seen-target.js';
import type { TagAnswers } from './tag-answers.js';
import type { SeenContainer, WantedImage } from './wanted-image.js';

/** What was seen of a target, with what was found out about images elsewhere. */
export interface Surveyed {
  readonly target: SeenTarget;
  /** What registries said of tags that the target has no image for. */
  readonly tags: TagAnswers;
  readonly mirrored: MirroredImages;
}

/**
 * Which image the instance is to run: by id where the image is there or its archive was read, else by the digest that its
 * reference pins. Never by tag: a tag may be another image tomorrow.
 */
export function wantedImage(
  instance: Instance,
  seen: Surveyed,
  problems: Problems,
  warn: (warning: string) => void,
): WantedImage | undefined {
  if (isService(instance)) return wantedTemplate(instance, seen.target, problems);
  const found = foundImage(instance, seen, problems, warn);
  return instance.target.driver === 'kubernetes' && found !== undefined ? byDigest(found) : found;
}

/** What k0rdent has under that name, where its service is. */
function wantedTemplate(
  { wanted, target, releasePointer }: Instance,
  seen: SeenTarget,
  problems: Problems,
): WantedImage | undefined {
  const { image: reference, env, command } = wanted;
  if (Object.keys(env).length > 0 || command !== undefined)
    problems.add(
      'unplannable',
      releasePointer,
      `${reference} is deployed by k0rdent, which takes neither env nor command: say such things in its template, or in the service’s values`,
    );
  const found = seen.image(wanted);
  if (found?.present === true) return { identity: { reference, id: found.id } };
  const why =
    templateIn(reference) === undefined
      ? `${reference} is no template: k0rdent deploys what \`image: ServiceTemplate/NAME\` names`
      : `${reference} is not on ${target.name}` +
        (found?.problem === undefined ? '' : ` (${found.problem})`) +
        ': apply it there, and wait until k0rdent says that it is valid';
  problems.add('image_missing', `${releasePointer}${pointerOf('image')}`, why);
  return undefined;
}

/** Nodes pull by digest, and tell what pods run by it: an ID, which engines have, is of no use there. */
function byDigest({ identity: { id: _id, ...identity }, ...image }: WantedImage): WantedImage {
  return { ...image, identity };
}

function foundImage(
  instance: Instance,
  seen: Surveyed,
  problems: Problems,
  warn: (warning: string) => void,
): WantedImage | undefined {
  const mirrored = seen.mirrored.wanted(instance, problems, warn);
  if (mirrored !== 'left') return mirrored;
  const { wanted, target, releasePointer } = instance;
  if (target.driver === 'kubernetes' && wanted.archive !== undefined) {
    problems.add(
      'unplannable',
      `${releasePointer}${pointerOf('archive')}`,
      `image ${wanted.image} comes from the archive ${wanted.archive}, and the nodes of ${target.name} pull from a registry: give the environment a \`mirror\`, which the archive is brought to`,
    );
    return undefined;
  }
  const image = seen.target.image(wanted);
  const at = (field: string): string => `${releasePointer}${pointerOf(field)}`;
  const isPinned = digestIn(wanted.image) !== undefined;
  const present = image?.present === true ? image.id : undefined;
  const id = image?.archiveId ?? present;

  if (id === undefined) {
    if (wanted.archive === undefined && isPinned) {
      return {
        identity: {
          reference: wanted.image,
          ...(wanted.id === undefined ? {} : { id: wanted.id }),
          digest: wanted.image,
        },
      };
    }
    const told = seen.tags.get(wanted.image);
    if (wanted.archive === undefined && told !== undefined && 'digest' in told) {
      return {
        identity: {
          reference: wanted.image,
          ...(wanted.id === undefined ? {} : { id: wanted.id }),
          digest: withDigest(wanted.image, told.digest),
        },
      };
    }
    const whys = [
      image?.problem,
      told !== undefined && 'problem' in told ? told.problem : undefined,
    ];
    const reasons = whys.filter((one) => one !== undefined);
    const because = reasons.length === 0 ? '' : ` (${reasons.join('; ')})`;
    const wayOut =
      wanted.archive === undefined
        ? 'load it there, give the release an `archive` or a `digest`'
        : `the archive ${wanted.archive} cannot be read either: put it there, or load the image`;
    problems.add(
      'image_missing',
      at('image'),
      `image ${wanted.image} is not on ${target.name}${because}: ${wayOut}`,
    );
    return undefined;
  }
  if (wanted.id !== undefined && wanted.id !== id) {
    problems.add(
      'unplannable',
      at('id'),
      `image ${wanted.image} on ${target.name} is ${id}, and the release says ${wanted.id}: correct the id, or bring the right image`,
    );
    return undefined;
  }
  if (image?.archiveId !== undefined && present !== undefined && present !== image.archiveId) {
    warn(
      `${wanted.image} on ${target.name} is another image (${present}) than in ${wanted.archive ?? 'the archive'}: the archive's is taken`,
    );
  }
  const reference = wanted.image;
  const identity = isPinned ? { reference, id, digest: reference } : { reference, id };
  return wanted.archive === undefined ? { identity } : { identity, archive: wanted.archive };
}

/** Whether a container runs an image. */
export function isImage(
  container: SeenContainer,
  { identity, imageIds = [] }: WantedImage,
): boolean {
  if (container.imageId !== undefined && imageIds.includes(container.imageId)) return true;
  if (identity.id !== undefined && container.imageId === identity.id) return true;
  const digest = identity.digest === undefined ? undefined : digestIn(identity.digest);
  return digest !== undefined && hasDigest(container, digest);
}

/** A digest names the content, whatever registry it came from. */
function hasDigest(container: SeenContainer, digest: string): boolean {
  return (
    container.imageId === digest ||
    container.repoDigests.some((known) => digestIn(known) === digest)
  );
}

const collator = new Intl.Collator('en', { numeric: true });

/**
 * The release whose image a container runs. Of several with the same image: the one whose reference the container was made from,
 * else the highest version.
 */
export function releaseOf(
  instance: Instance,
  container: SeenContainer,
  seen: SeenTarget,
  releases: ReadonlyArray<Stored<ReleaseDocument>>,
): ReleaseDocument | undefined {
  const { name } = instance.component;
  const highest = (isMeant: (image: ReleaseComponent) => boolean): ReleaseDocument | undefined => {
    const matching: ReleaseDocument[] = [];
    for (const { document } of releases) {
      const image = document.spec.components[name];
      if (image !== undefined && isMeant(image) && runs(container, image, seen))
        matching.push(document);
    }
    return matching.toSorted(byVersion)[0];
  };
  return highest(({ image }) => isMadeFrom(container, image)) ?? highest(() => true);
}

function byVersion(a: ReleaseDocument, b: ReleaseDocument): number {
  return (
    collator.compare(b.spec.version, a.spec.version) ||
    collator.compare(b.metadata.name, a.metadata.name)
  );
}

function runs(container: SeenContainer, image: ReleaseComponent, seen: SeenTarget): boolean {
  const { imageId } = container;
  const digest = digestIn(image.image);
  if (digest !== undefined && hasDigest(container, digest)) return true;
  // pods tell no ID of what they pulled
  if (imageId === undefined) return isMadeFrom(container, image.image);
  if (image.id !== undefined) return image.id === imageId;
  const found = seen.image(image);
  if (found?.archiveId !== undefined) return found.archiveId === imageId;
  if (found?.present === true) return found.id === imageId;
  // what was pulled by digest has no tag; what it was made from is written at the container
  return isMadeFrom(container, image.image);
}

function isMadeFrom({ imageReference, broughtAs }: SeenContainer, reference: string): boolean {
  return imageReference === reference || broughtAs === reference;
}
