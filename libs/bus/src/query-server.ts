import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { Server } from '@nestjs/microservices';
import type { Msg, Subscription } from '@nats-io/transport-node';
import { isObservable, lastValueFrom } from 'rxjs';
import type { z } from 'zod';
import { ERROR_CODES, LiftlockError } from '#kernel';
import { QUERIES, querySubject, type QueryName, type ReplyEnvelope } from '#contracts';
import { Bus } from './bus.js';
import { handledBy, QUERY_TRANSPORT, queryPattern } from './handler-decorators.js';
import { HANDLER_OBSERVER, type HandlerObserver } from './handler-observer.js';
import { parseMessage } from './parse-message.js';

/** Milliseconds that what has arrived gets to be answered in when the service is told to end. */
const CLOSE_DEADLINE_MS = 5_000;

/** Questions over core NATS, one queue group per app; errors are answers, so that their code arrives. */
@Injectable()
export class QueryServer extends Server {
  override readonly transportId = QUERY_TRANSPORT;
  protected override readonly logger = new Logger(QueryServer.name);
  private readonly subscriptions: Subscription[] = [];
  private readonly underWay = new Set<Promise<void>>();

  constructor(
    private readonly bus: Bus,
    @Optional() @Inject(HANDLER_OBSERVER) private readonly observer?: HandlerObserver,
  ) {
    super();
  }

  override listen(callback: (error?: unknown) => void): void {
    const { app, site } = this.bus.options;
    const names = handledBy(app).queries;
    const missing = names.filter((name) => this.getHandlerByPattern(queryPattern(name)) === null);
    if (missing.length > 0) {
      throw new LiftlockError(
        'misconfigured',
        `${app} has no handler for ${missing.join(', ')}: add it to queryHandlers() in its module`,
      );
    }
    for (const name of names) {
      this.subscriptions.push(
        this.bus.nats.subscribe(querySubject(name, site), {
          queue: app,
          callback: (error, message) => {
            // a subscription that is forbidden: the bus has logged it
            if (error !== null) return;
            const work = this.answer(name, message).finally(() => this.underWay.delete(work));
            this.underWay.add(work);
          },
        }),
      );
    }
    callback();
  }

  override async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_DEADLINE_MS);
    });
    await Promise.race([this.drain(), late]);
    clearTimeout(timer);
  }

  override on(): void {
    // nothing to listen to: the bus tells of its connection itself
  }

  override unwrap<T>(): T {
    return this.bus.nats as T;
  }

  /** What is on its way is still answered: to the asker, no answer is a wait until the deadline. */
  private async drain(): Promise<void> {
    await Promise.allSettled(
      this.subscriptions
        .filter((subscription) => !subscription.isClosed())
        .map(async (subscription) => {
          // a drain waits for the broker
          if (this.bus.isConnected()) await subscription.drain();
          else subscription.unsubscribe();
        }),
    );
    await Promise.allSettled(this.underWay);
  }

  private async answer(name: QueryName, message: Msg): Promise<void> {
    const began = performance.now();
    let reply: ReplyEnvelope;
    try {
      reply = { ok: true, data: await this.ask(name, message) };
    } catch (thrown) {
      reply = this.refusal(name, LiftlockError.from(thrown));
    }
    this.respond(name, message, reply);
    this.observer?.handled(
      'query',
      name,
      reply.ok ? 'ok' : 'error',
      (performance.now() - began) / 1_000,
    );
  }

  private async ask(name: QueryName, message: Msg): Promise<unknown> {
    const contract: { readonly data: z.ZodType; readonly reply: z.ZodType } = QUERIES[name];
    const data: unknown = parseMessage(
      contract.data,
      readJson(name, message),
      'invalid_request',
      `the query ${name}`,
    );
    // Nest's own look-up tries to read each name as JSON, and catches what that throws
    const handler = this.getHandlers().get(queryPattern(name));
    if (handler === undefined) throw new LiftlockError('misconfigured', `no handler for ${name}`);
    const result: unknown = await handler(data);
    const value: unknown = isObservable(result)
      ? await lastValueFrom(result, { defaultValue: undefined })
      : result;
    // what the catalogue does not know does not leave the service
    return parseMessage(contract.reply, value, 'internal', `the answer to ${name}`);
  }

  private refusal(name: QueryName, error: LiftlockError): ReplyEnvelope {
    if (ERROR_CODES[error.code].log === 'error')
      this.logger.error(`query ${name}: ${error.code}: ${error.message}`, error.stack);
    const { issues, ...shape } = error.toShape();
    return {
      ok: false,
      error: {
        ...shape,
        ...(issues === undefined ? {} : { issues: issues.map((issue) => ({ ...issue })) }),
      },
    };
  }

  private respond(name: QueryName, message: Msg, reply: ReplyEnvelope): void {
    try {
      message.respond(JSON.stringify(reply));
    } catch (cause) {
      // larger than a message may be, or the connection is closed
      const error = new LiftlockError(
        'internal',
        `the answer to ${name} cannot be sent: ${String(cause)}`,
        { retryable: false, cause },
      );
      const refusal = this.refusal(name, error);
      if (this.bus.isConnected()) message.respond(JSON.stringify(refusal));
    }
  }
}

function readJson(name: QueryName, message: Msg): unknown {
  try {
    return message.json();
  } catch (cause) {
    throw new LiftlockError('invalid_request', `the query ${name} carries no JSON`, { cause });
  }
}
