import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { errors, type Msg } from '@nats-io/transport-node';
import { LiftlockError, type ErrorShape } from '#kernel';
import {
  QUERIES,
  querySubject,
  replyEnvelope,
  type QueryInput,
  type QueryName,
  type QueryReply,
} from '#contracts';
import { Bus, isCausedBy } from './bus.js';
import { parseMessage } from './parse-message.js';

/** Milliseconds for which it is asked again while nobody is there to hear it: a service that restarts is back by then. */
const NOBODY_MS = 1_500;
const ASK_AGAIN_MS = 100;

/** Asks other services. */
@Injectable()
export class QueryClient {
  constructor(private readonly bus: Bus) {}

  /**
   * @param options.site where a query has an answer per site; default `main`.
   * @throws LiftlockError what the other service answered, code and all; `unavailable`, naming the service, when there is none;
   * `timeout` when it does not answer in the contract's time (it may have done what it was asked); `invalid_request` when the input is
   * not as the catalogue says.
   */
  async ask<N extends QueryName>(
    name: N,
    input: QueryInput<N>,
    options: { readonly site?: string } = {},
  ): Promise<QueryReply<N>> {
    const contract = QUERIES[name];
    const data: unknown = parseMessage(
      contract.data,
      input,
      'invalid_request',
      `the query ${name}`,
    );
    const answer = await this.request(name, JSON.stringify(data), options.site);
    const reply = parseMessage(
      replyEnvelope,
      answer.json(),
      'internal',
      `the answer of ${contract.to} to ${name}`,
    );
    if (!reply.ok) throw LiftlockError.fromShape(reply.error as ErrorShape);
    return parseMessage(
      contract.reply,
      reply.data,
      'internal',
      `the answer of ${contract.to} to ${name}`,
    ) as QueryReply<N>;
  }

  private async request(name: QueryName, payload: string, site: string | undefined): Promise<Msg> {
    const { to, timeoutSeconds } = QUERIES[name];
    const deadline = performance.now() + NOBODY_MS;
    for (;;) {
      // asked again only when surely nobody heard it
      const heard = this.bus.isConnected();
      try {
        return await this.bus.request(querySubject(name, site), payload, timeoutSeconds * 1_000);
      } catch (cause) {
        const nobody = !heard || isCausedBy(cause, errors.NoRespondersError);
        if (!nobody || performance.now() >= deadline)
          throw this.failure(name, to, site, cause, nobody);
      }
      await delay(ASK_AGAIN_MS);
    }
  }

  private failure(
    name: QueryName,
    to: string,
    site: string | undefined,
    cause: unknown,
    nobody: boolean,
  ): LiftlockError {
    const where = site === undefined ? '' : ` at site ${site}`;
    if (!this.bus.isConnected()) {
      return new LiftlockError(
        'unavailable',
        `${name} could not be asked of the service ${to}${where}: NATS is out of reach`,
        { cause },
      );
    }
    if (nobody) {
      return new LiftlockError(
        'unavailable',
        `the service ${to}${where} does not answer ${name}: see that it runs`,
        { cause },
      );
    }
    if (isCausedBy(cause, errors.TimeoutError)) {
      return new LiftlockError(
        'timeout',
        `the service ${to}${where} has not answered ${name} in time`,
        { cause },
      );
    }
    if (isCausedBy(cause, errors.PermissionViolationError)) {
      const { user } = this.bus.options;
      return new LiftlockError(
        'misconfigured',
        `NATS forbids ${user} to ask ${name}: the catalogue in #contracts says who asks what`,
        { cause },
      );
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new LiftlockError(
      'unavailable',
      `${name} could not be asked of the service ${to}${where}: ${reason}`,
      { cause },
    );
  }
}
