import type { Observation } from '#contracts';
import { imageKey, type ImagesQuestion } from './observe-questions.js';
import type { ReleaseComponent } from './planning-documents.js';
import type { SeenContainer, SeenImage } from './wanted-image.js';

/** What was asked of a target, and what it answered: by name, since each instance is looked for in each release. */
export class SeenTarget {
  private readonly containers = new Map<string, SeenContainer>();
  private readonly images = new Map<string, SeenImage>();
  private readonly manifests: NonNullable<Observation['manifests']>;
  /** Of a cluster, where it could be told: those that are ready and take pods. */
  readonly nodes: number | undefined;

  constructor({ images }: Pick<ImagesQuestion, 'images'>, observation: Observation) {
    this.manifests = observation.manifests ?? [];
    this.nodes = observation.nodes;
    for (const one of observation.containers)
      if (one.found) this.containers.set(one.container, one);
    for (const image of observation.images)
      if (!this.images.has(image.reference)) this.images.set(image.reference, image);
    // answers come in the order of the questions, since one reference may be asked with two archives
    images.forEach(({ reference, archive }, index) => {
      const inPlace = observation.images[index];
      if (inPlace?.reference === reference) this.images.set(imageKey(reference, archive), inPlace);
    });
  }

  /** The one of this name, where there is one: most names are asked for since they must be free. */
  container(name: string): SeenContainer | undefined {
    return this.containers.get(name);
  }

  /** The answer about what is to be applied. */
  manifest(
    path: string,
    namespace: string,
  ): NonNullable<Observation['manifests']>[number] | undefined {
    return this.manifests.find((one) => one.path === path && one.namespace === namespace);
  }

  /** The answer about one image. */
  image({ image, archive }: ReleaseComponent): SeenImage | undefined {
    const found = this.images.get(imageKey(image, archive));
    return found ?? (archive === undefined ? undefined : this.images.get(image));
  }
}

/** Each target that was asked and answered, by its name. */
export function seenTargetsOf(
  questions: readonly ImagesQuestion[],
  observations: readonly Observation[],
): Map<string, SeenTarget> {
  const answered = new Map(observations.map((observation) => [observation.target, observation]));
  const seen = new Map<string, SeenTarget>();
  for (const question of questions) {
    const { name } = question.target;
    const observation = answered.get(name);
    if (observation !== undefined) seen.set(name, new SeenTarget(question, observation));
  }
  return seen;
}
