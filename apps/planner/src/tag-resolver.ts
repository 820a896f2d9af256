import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LiftlockError } from '#kernel';
import { parseReference, Registries, targetOf, type RegistriesOptions } from '#oci';
import type { TagAnswer, TagAnswers } from './domain/tag-answers.js';

/** Registries that are asked at the same time, and for how long, in milliseconds. */
const SIDE_BY_SIDE = 8;
const PATIENCE_MS = 20_000;

/** Asks registries which manifest a tag is now, so that a plan names what nobody can exchange. */
@Injectable()
export class TagResolver implements OnApplicationShutdown {
  private readonly registries: Registries;

  constructor(options: RegistriesOptions) {
    this.registries = new Registries({ ...options, stallMs: PATIENCE_MS });
  }

  /** What cannot be told is an answer, too: the plan may not need it. */
  async resolve(tags: readonly string[]): Promise<TagAnswers> {
    const answers = new Map<string, TagAnswer>();
    const signal = AbortSignal.timeout(PATIENCE_MS);
    for (let first = 0; first < tags.length; first += SIDE_BY_SIDE) {
      const some = tags.slice(first, first + SIDE_BY_SIDE);
      const told = await Promise.all(some.map((tag) => this.ask(tag, signal)));
      told.forEach((answer, index) => answers.set(some[index] ?? '', answer));
    }
    return answers;
  }

  private async ask(tag: string, signal: AbortSignal): Promise<TagAnswer> {
    try {
      const reference = parseReference(tag);
      const found = await this.registries.repository(reference).find(targetOf(reference), signal);
      return found?.digest === undefined
        ? { problem: `${reference.registry} has no ${tag}` }
        : { digest: found.digest };
    } catch (thrown) {
      return { problem: LiftlockError.from(thrown).message };
    }
  }

  onApplicationShutdown(): void {
    this.registries.close();
  }
}
