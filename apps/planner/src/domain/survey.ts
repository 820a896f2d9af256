import type { Observation, ObservedInstance } from '#contracts';
import { refuseMisplacedFiles } from './ephemeral-files.js';
import type { SeenContainer } from './wanted-image.js';
import { isImage, releaseOf, wantedImage, type Surveyed } from './images.js';
import { placeText, type Instance, type UpgradeExtent } from './instances.js';
import type { LaneSubject } from './lane-subject.js';
import type { ReleaseComponent } from './planning-documents.js';
import { manifestDigests } from './manifests.js';
import type { MirroredImages } from './mirrored-images.js';
import type { ImagesQuestion } from './observe-questions.js';
import { refuseFewNodes } from './cluster-nodes.js';
import { refusalOfOwner } from './owners.js';
import type { Problems } from './problems.js';
import {
  refuseDataWithLeftOut,
  refuseSharedData,
  refuseSharedFolders,
  refuseUnmountedData,
  type SeenInstance,
} from './shared-data.js';
import { isService } from './services.js';
import { seenTargetsOf, type SeenTarget } from './seen-target.js';
import type { TagAnswers } from './tag-answers.js';

/** An instance that stays as it is. */
export interface LeftOut {
  readonly instance: Instance;
  /** `unknown` where no release has its image, or nobody looked. */
  readonly version: string;
  /** As the release that it runs has it, where that is known. */
  readonly runs: ReleaseComponent | undefined;
}

/** What was found of the instances, and which of them are to be upgraded. */
export interface Survey {
  readonly observed: ObservedInstance[];
  /** In the order of the documents. */
  readonly subjects: LaneSubject[];
  /** In the order of the documents. */
  readonly leftOut: LeftOut[];
  readonly warnings: string[];
  /** Digests of what hooks apply, by instance and `manifestKey`. */
  readonly manifests: Map<string, ReadonlyMap<string, string>>;
  /** What was asked of each target, and answered. */
  readonly seen: Map<string, Surveyed>;
}

/** Compares what runs with what is wanted; what cannot be upgraded goes to the problems. */
export function survey(
  extent: UpgradeExtent,
  questions: readonly ImagesQuestion[],
  observations: readonly Observation[],
  mirrored: MirroredImages,
  problems: Problems,
  tags: TagAnswers = new Map(),
): Survey {
  const found: Survey = {
    ...{ observed: [], subjects: [], leftOut: [], warnings: [] },
    ...{ manifests: new Map(), seen: new Map() },
  };
  const instances: SeenInstance[] = [];
  for (const [name, target] of seenTargetsOf(questions, observations))
    found.seen.set(name, { target, tags, mirrored });
  for (const instance of extent.instances) {
    const seen = found.seen.get(instance.target.name);
    if (seen === undefined) {
      problems.add(
        'unobservable',
        instance.pointer,
        `target ${instance.target.name} was not observed`,
      );
      continue;
    }
    const container = seenContainer(instance, seen.target, problems);
    if (container === undefined) continue;
    const manifests = manifestDigests(instance, extent, seen.target, problems);
    if (manifests !== undefined) found.manifests.set(instance.id, manifests);
    const subject = look(instance, container, seen, extent, problems, found);
    instances.push({ instance, container, upgraded: subject !== undefined });
    if (subject === undefined) continue;
    found.subjects.push(subject);
    refuseUntouchable(instance, container, seen.target, problems);
    refuseMisplacedFiles(instance, container, problems);
    refuseUnmountedData({ instance, container, upgraded: true }, problems);
  }
  refuseSharedData(instances, problems);
  refuseSharedFolders(instances, problems);
  refuseFewNodes(extent, found, problems);
  const staying = extent.leftOut.flatMap((instance) => lookAtLeftOut(instance, extent, found));
  refuseDataWithLeftOut(instances, staying, problems);
  return found;
}

/**
 * What stays old is looked at where its target is, since others must get on with it; what is wrong with it is in nobody's way.
 * @returns it, where there is a container to speak of.
 */
function lookAtLeftOut(instance: Instance, extent: UpgradeExtent, found: Survey): SeenInstance[] {
  const { name } = instance.target;
  const seen = found.seen.get(name)?.target;
  const container = seen?.container(instance.container);
  const release =
    seen === undefined || container === undefined
      ? undefined
      : releaseOf(instance, container, seen, extent.releases);
  if (release === undefined)
    found.warnings.push(
      `${unknownOf(instance, seen, container)}: whether what runs there gets on with the rest is not known`,
    );
  const runs = release?.spec.components[instance.component.name];
  found.leftOut.push({ instance, version: release?.spec.version ?? 'unknown', runs });
  return container === undefined ? [] : [{ instance, container, upgraded: false }];
}

/** Why it is not known which version of what is left out runs. */
function unknownOf(
  { id, container, target }: Instance,
  seen: SeenTarget | undefined,
  found: SeenContainer | undefined,
): string {
  if (seen === undefined) return `${target.name} is left out and was not looked at`;
  if (found === undefined)
    return `${id} is left out, and there is no ${placeText({ container })} on ${target.name}`;
  return `${id} is left out and runs ${found.imageReference ?? 'an image'}, which no release has`;
}

type Identified = LaneSubject['container'];

function seenContainer(
  instance: Instance,
  seen: SeenTarget,
  problems: Problems,
): Identified | undefined {
  const container = seen.container(instance.container);
  if (container === undefined) {
    problems.add(
      'unplannable',
      instance.pointer,
      `there is no ${placeText(instance)} on ${instance.target.name} for ${instance.id}: ` +
        (instance.target.driver === 'kubernetes'
          ? isService(instance)
            ? 'add it there once, with its template and its chain, or correct the component’s `service` or `targets`'
            : 'apply its manifests once (an upgrade takes over what they say), or correct the component’s `workload` or `targets`'
          : 'start it once by hand (an upgrade takes over its settings), or correct the component’s `container` or `targets`'),
    );
    return undefined;
  }
  const { containerId, imageId } = container;
  // a workload without pods has an image in its template alone
  const isKnown = imageId !== undefined || instance.target.driver === 'kubernetes';
  if (containerId === undefined || !isKnown) {
    const because = container.problems.length === 0 ? '' : `: ${container.problems.join('; ')}`;
    problems.add(
      'unobservable',
      instance.pointer,
      `${placeText(instance)} on ${instance.target.name} cannot be looked at${because}`,
    );
    return undefined;
  }
  return { ...container, containerId };
}

/** @returns what is to be upgraded; nothing when the instance runs the image already, or cannot have it. */
function look(
  instance: Instance,
  container: Identified,
  seen: Surveyed,
  extent: UpgradeExtent,
  problems: Problems,
  found: Survey,
): LaneSubject | undefined {
  const { version } = extent.release.document.spec;
  const image = wantedImage(instance, seen, problems, (warning) => found.warnings.push(warning));
  const current = image !== undefined && isImage(container, image);
  const old = current
    ? extent.release.document
    : releaseOf(instance, container, seen.target, extent.releases);
  const from = old?.spec.version ?? 'unknown';
  found.observed.push({
    instance: instance.id,
    component: instance.component.name,
    target: instance.target.name,
    version: from,
    container: container.container,
    containerId: container.containerId,
    imageId: container.imageId ?? container.repoDigests[0] ?? '',
    imageReference: container.imageReference ?? '',
    running: container.running,
  });
  if (image === undefined) return undefined;
  if (current) {
    const { env, command } = instance.wanted;
    if (Object.keys(env).length > 0 || command !== undefined) {
      found.warnings.push(
        `${instance.id} runs the image of ${version} already: it is left as it is, env and command of the release included`,
      );
    }
    return undefined;
  }
  return {
    instance,
    container,
    image,
    from,
    to: version,
    oldVersion: old?.spec.components[instance.component.name],
    manifests: found.manifests.get(instance.id),
    fromRelease: old?.metadata.name,
  };
}

/** What must not, or cannot, be replaced. */
function refuseUntouchable(
  instance: Instance,
  container: SeenContainer,
  seen: SeenTarget,
  problems: Problems,
): void {
  const { name } = instance.target;
  const where = `${placeText(instance)} on ${name}`;
  // what is taken from its owner is among the warnings
  const field = isService(instance) ? 'service' : 'workload';
  if (container.owner !== undefined && instance.component[field]?.owner !== 'taken') {
    problems.add(
      'unplannable',
      instance.pointer,
      `${where} ${refusalOfOwner(container.owner, field)}`,
    );
  }
  for (const problem of container.problems) {
    problems.add('unplannable', instance.pointer, `${where}: ${problem}`);
  }
  refuseTaken(instance, seen, problems);
}

/** The name that the old container is to be kept under must be free. */
export function refuseTaken(instance: Instance, seen: SeenTarget, problems: Problems): void {
  const { name, driver } = instance.target;
  if (seen.container(instance.keptName) !== undefined) {
    problems.add(
      'unplannable',
      instance.pointer,
      driver === 'kubernetes'
        ? `the record ${instance.keptName} is on ${name} already, and that is where it is written down how ${instance.id} was: ` +
            'an earlier upgrade left it, so make sure that nobody needs it, then delete it'
        : `a container ${instance.keptName} is on ${name} already, and that is the name that the old one is kept under: ` +
            'an earlier upgrade left it, so make sure that nobody needs it, then remove or rename it',
    );
  }
}
