import { Injectable } from '@nestjs/common';
import { LiftlockError } from '#kernel';
import type { Observation } from '#contracts';
import { QueryClient } from '#bus';
import type { ObserveQuestion } from './domain/observe-questions.js';
import { pointerOf, Problems } from './domain/problems.js';

/** Targets that are asked at the same time. */
const SIDE_BY_SIDE = 16;

/** Asks the executors what runs on the targets. */
@Injectable()
export class Observer {
  constructor(private readonly queries: QueryClient) {}

  /**
   * @param wayOut what a person can do about a target that cannot be looked at
   * @throws LiftlockError `unobservable`, naming every target that cannot be looked at; `unavailable` or `timeout`, retryable, when an
   *   executor is not there, or was silent: an answer is lost where its connection to NATS breaks.
   */
  async observe(
    subject: string,
    environment: string,
    questions: readonly ObserveQuestion[],
    wayOut = '',
  ): Promise<Observation[]> {
    const observations: Observation[] = [];
    const problems = new Problems();
    for (let first = 0; first < questions.length; first += SIDE_BY_SIDE) {
      const answers = await Promise.allSettled(
        questions.slice(first, first + SIDE_BY_SIDE).map((question) => this.ask(question)),
      );
      for (const answer of answers) {
        if (answer.status === 'fulfilled') {
          observations.push(answer.value);
          continue;
        }
        const { error, target } = answer.reason as Unanswered;
        if (error.code === 'unavailable' || error.code === 'timeout') throw error;
        problems.add(
          'unobservable',
          pointerOf('environments', environment, 'spec', 'targets', target),
          `${error.message}${wayOut}`,
        );
      }
    }
    if (problems.any) throw problems.toError(subject);
    return observations;
  }

  private async ask(question: ObserveQuestion): Promise<Observation> {
    try {
      return await this.queries.ask('observe', question, { site: question.target.site });
    } catch (thrown) {
      const error = LiftlockError.from(thrown);
      const message = `target ${question.target.name} (${question.target.endpoint}) cannot be observed: ${error.message}`;
      throw new Unanswered(
        question.target.name,
        new LiftlockError(error.code, message, { cause: error }),
      );
    }
  }
}

class Unanswered extends Error {
  constructor(
    readonly target: string,
    readonly error: LiftlockError,
  ) {
    super(error.message);
  }
}
