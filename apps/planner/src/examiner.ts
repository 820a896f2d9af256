import { Injectable } from '@nestjs/common';
import {
  DEFAULT_SITE,
  MOST_IMAGES_EXAMINED,
  type EnvironmentDocument,
  type ImageAnswer,
  type ImageQuestion,
  type QueryReply,
} from '#contracts';
import { QueryClient } from '#bus';
import { LiftlockError } from '#kernel';
import { imageKey } from './domain/observe-questions.js';

/** Asks the mirror service about images: it reaches the registries, and has what they are signed in to with. */
@Injectable()
export class Examiner {
  constructor(private readonly queries: QueryClient) {}

  /** @throws LiftlockError `unavailable`, retryable, when no mirror service of the site answers. */
  async examine(
    { mirror, trust }: EnvironmentDocument['spec'],
    images: readonly ImageQuestion[],
  ): Promise<Map<string, ImageAnswer>> {
    const answers = new Map<string, ImageAnswer>();
    const site = mirror?.site ?? DEFAULT_SITE;
    for (let first = 0; first < images.length; first += MOST_IMAGES_EXAMINED) {
      const some = images.slice(first, first + MOST_IMAGES_EXAMINED);
      const { items } = await this.ask({ mirror, trust, images: some }, site);
      some.forEach((image, index) => {
        const answer = items[index];
        if (answer === undefined)
          throw new LiftlockError('internal', `nothing was answered about ${image.reference}`);
        answers.set(imageKey(image.reference, image.archive), answer);
      });
    }
    return answers;
  }

  private async ask(
    question: Pick<EnvironmentDocument['spec'], 'mirror' | 'trust'> & { images: ImageQuestion[] },
    site: string,
  ): Promise<QueryReply<'examine-images'>> {
    try {
      return await this.queries.ask('examine-images', question, { site });
    } catch (thrown) {
      const error = LiftlockError.from(thrown);
      throw new LiftlockError(
        error.code,
        `images cannot be looked at by the mirror service of site ${site}: ${error.message}`,
        { cause: error, retryable: error.retryable },
      );
    }
  }
}
