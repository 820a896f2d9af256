import {
  matchesImage,
  type EnvironmentDocument,
  type ImageAnswer,
  type ImageQuestion,
  type PrepareStep,
  type RegistryAccess,
  type StepPlace,
} from '#contracts';
import { imageKey } from './observe-questions.js';
import type { WantedImage } from './wanted-image.js';
import type { Instance } from './instances.js';
import type { Leg } from './lane-subject.js';
import type { ReleaseComponent } from './planning-documents.js';
import { pointerOf, type Problems } from './problems.js';
import type { StepMaker } from './step-maker.js';

/** What was answered about images, by `imageKey`. */
export type ExaminedImages = ReadonlyMap<string, ImageAnswer>;

type Found = Extract<ImageAnswer, { outcome: 'found' }>;

/** An image, and who wants it. */
type Used = Pick<Leg, 'instance' | 'image'>;

interface Mirrored {
  readonly question: ImageQuestion;
  readonly found: Found;
  readonly place: NonNullable<Found['target']>;
  readonly pointer: string;
}

/**
 * The images of one plan that are no business of the targets alone: an environment's mirror, or a rule of trust, is about them. What is
 * needed and was not examined yet is collected, to be asked for.
 */
export class MirroredImages {
  /** To be asked for: what was planned without is of no use. */
  readonly unexamined = new Map<string, ImageQuestion>();

  constructor(
    private readonly spec: Pick<EnvironmentDocument['spec'], 'mirror' | 'trust'>,
    private readonly examined: ExaminedImages = new Map(),
  ) {}

  /**
   * The image by its digest, at the mirror or where it comes from.
   * @returns `undefined` when it cannot be had (a problem says why); `left` when nothing of this is about it.
   */
  wanted(
    { wanted, releasePointer }: Instance,
    problems: Problems,
    warn: (warning: string) => void,
  ): WantedImage | 'left' | undefined {
    const { mirror, trust = [] } = this.spec;
    if (mirror === undefined && trust.length === 0) return 'left';
    const question = questionOf(wanted);
    const answer = this.examined.get(imageKey(question.reference, question.archive));
    if (answer === undefined) {
      this.unexamined.set(imageKey(question.reference, question.archive), question);
      return { identity: { reference: wanted.image, digest: UNKNOWN } };
    }
    if (answer.outcome === 'left') return 'left';
    if (answer.outcome === 'refused') {
      const field = wanted.archive === undefined ? 'image' : 'archive';
      problems.add(
        answer.error.code,
        `${releasePointer}${pointerOf(field)}`,
        `image ${wanted.image}: ${answer.error.message}`,
      );
      return undefined;
    }
    for (const warning of answer.warnings) warn(warning);
    const repository = answer.target?.repository ?? answer.name;
    return {
      identity: {
        reference: wanted.image,
        ...(wanted.id === undefined ? {} : { id: wanted.id }),
        digest: `${repository}@${answer.digest}`,
      },
      imageIds: answer.imageIds,
      examined: question,
    };
  }

  /** One step for each image that goes to the mirror, however many targets want it. */
  steps(images: readonly Used[], maker: StepMaker): Map<string, PrepareStep> {
    const steps = new Map<string, PrepareStep>();
    if (this.examined.size === 0) return steps;
    for (const { question, found, place, pointer } of this.mirrored(images)) {
      const digest = `${place.repository}@${found.digest}`;
      if (steps.has(digest)) continue;
      steps.set(
        digest,
        maker.make(
          'image.mirror',
          {
            id: `prepare/mirror/image-${steps.size + 1}`,
            title: `Mirror ${question.reference} to ${place.repository}`,
            target: this.place(),
            pointer,
          },
          {
            source: question.reference,
            ...(question.archive === undefined ? {} : { archive: question.archive }),
            digest: found.digest,
            target: place.repository,
            tag: place.tag,
            platforms: this.spec.mirror?.platforms ?? [],
            access: this.access(question, found),
            trust: (this.spec.trust ?? []).filter(({ images }) => matchesImage(images, found.name)),
          },
        ),
      );
    }
    return steps;
  }

  /** What the targets' engines need to pull from the mirror. */
  get credentials(): object {
    const credentials = this.spec.mirror?.credentials;
    return credentials === undefined ? {} : { credentials };
  }

  private *mirrored(images: readonly Used[]): Generator<Mirrored> {
    for (const { instance, image } of images) {
      const { examined: question } = image;
      if (question === undefined) continue;
      const { releasePointer: pointer } = instance;
      const found = this.examined.get(imageKey(question.reference, question.archive));
      if (found?.outcome === 'found' && found.target !== undefined)
        yield { question, found, place: found.target, pointer };
    }
  }

  /** How the mirror is reached, and where the image comes from. */
  private access({ archive }: ImageQuestion, { name }: Found): Record<string, RegistryAccess> {
    const { mirror } = this.spec;
    if (mirror === undefined) return {};
    const { registry, insecure, credentials, bytesPerSecond, sources } = mirror;
    const host = name.slice(0, name.indexOf('/'));
    const source = archive === undefined ? sources[host] : undefined;
    return {
      [registry]: { insecure, credentials, bytesPerSecond },
      ...(source === undefined ? {} : { [host]: source }),
    };
  }

  private place(): StepPlace {
    const { mirror } = this.spec;
    const { registry = '', prefix, site = 'main' } = mirror ?? {};
    const endpoint = prefix === undefined ? registry : `${registry}/${prefix}`;
    return { name: 'mirror', driver: 'registry', site, endpoint };
  }
}

/** Stands for a digest until it is known; no plan is made of it. */
const UNKNOWN = `unknown@sha256:${'0'.repeat(64)}`;

function questionOf({ image, archive }: ReleaseComponent): ImageQuestion {
  return { reference: image, ...(archive === undefined ? {} : { archive }) };
}
