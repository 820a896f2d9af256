import { Injectable } from '@nestjs/common';
import {
  DataSource,
  QueryFailedError,
  QueryRunnerAlreadyReleasedError,
  QueryRunnerProviderAlreadyReleasedError,
  type EntityManager,
} from 'typeorm';
import { LiftlockError } from '#kernel';
import { CommittedMessages } from './committed-messages.js';

/** Tries of one transaction that lost against another. */
const MAX_TRIES = 8;
/** serialization_failure and deadlock_detected (PostgreSQL, appendix A). */
const LOST_RACE = new Set(['40001', '40P01']);

/** Transactions: all of what a message changes and sends, or nothing. */
@Injectable()
export class UnitOfWork {
  constructor(
    private readonly source: DataSource,
    private readonly messages: CommittedMessages,
  ) {}

  /**
   * Runs `work` in a transaction, again when it lost a race against another one: it must have no effects but through `tx`.
   * @throws LiftlockError `unavailable`, retryable, when the database does not answer.
   */
  async run<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        let committed: EntityManager | undefined;
        const result = await this.source.transaction((tx) => {
          committed = tx;
          return work(tx);
        });
        if (committed !== undefined) this.messages.committed(committed);
        return result;
      } catch (error) {
        if (tries < MAX_TRIES && lostRace(error)) continue;
        throw asUnavailable(error);
      }
    }
  }

  /**
   * One statement, or several that need not be of one moment: without a transaction, which costs two more round trips. What goes into
   * the outbox here goes with `Outbox.addAlone` or `Outbox.addIfChanged`.
   * @throws LiftlockError `unavailable`, retryable, when the database does not answer.
   */
  async single<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    try {
      return await work(this.source.manager);
    } catch (error) {
      throw asUnavailable(error);
    }
  }
}

function lostRace(error: unknown): boolean {
  if (error instanceof LiftlockError) return error.code === 'conflict' && error.retryable;
  return LOST_RACE.has(codeOf(error));
}

function codeOf(error: unknown): string {
  const inner: unknown = error instanceof QueryFailedError ? error.driverError : error;
  return typeof inner === 'object' && inner !== null && 'code' in inner ? String(inner.code) : '';
}

/** connection_exception, insufficient_resources and operator_intervention (PostgreSQL, appendix A). */
const AWAY_CODES = /^(08|53|57P)/;
/** How Node.js, pg and its pool say that a connection broke or could not be made. */
const AWAY_WORDS = /ECONN|EPIPE|Connection terminated|timeout exceeded|not queryable/;

/** That is not the message's fault: it will be handled again. */
function asUnavailable(error: unknown): unknown {
  if (error instanceof LiftlockError) return error;
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  // TypeORM takes a runner away whose connection broke: what follows in the transaction finds it released
  const isAway =
    AWAY_CODES.test(code) ||
    AWAY_WORDS.test(`${code} ${message}`) ||
    error instanceof QueryRunnerAlreadyReleasedError ||
    error instanceof QueryRunnerProviderAlreadyReleasedError;
  if (!isAway) return error;
  return new LiftlockError('unavailable', `PostgreSQL does not answer: ${message}`, {
    cause: error,
    retryAfterMs: 500,
  });
}
