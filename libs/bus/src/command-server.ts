import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { Server } from '@nestjs/microservices';
import type { JsMsg } from '@nats-io/jetstream';
import { isObservable, lastValueFrom } from 'rxjs';
import { assertNever, LiftlockError } from '#kernel';
import {
  COMMANDS,
  COMMAND_STREAM,
  commandConsumer,
  commandEnvelope,
  commandFilter,
  type CommandContract,
  type CommandEnvelope,
} from '#contracts';
import { Bus } from './bus.js';
import { DEAD_LETTERS, keepDeadLetter, type DeadLetters } from './dead-letters.js';
import { DurableConsumer } from './durable-consumer.js';
import { COMMAND_TRANSPORT, commandPattern, handledBy } from './handler-decorators.js';
import { HANDLER_OBSERVER, type HandlerObserver } from './handler-observer.js';
import { parseMessage } from './parse-message.js';
import { isExhausted, verdictOn } from './verdict.js';

/** Handlers that run at the same time. */
const CONCURRENCY = 32;
/** Seconds until a command that is neither answered nor said to be in progress is delivered again. */
export const ACK_WAIT_SECONDS = Symbol('ack wait');
export const DEFAULT_ACK_WAIT_SECONDS = 10;
/** Drawn ahead of the handlers: few, since nothing tells the broker that these are still wanted while they wait. */
const AHEAD = 16;
/** Milliseconds that handlers get to end in when the service is told to. */
const CLOSE_DEADLINE_MS = 8_000;
/** Milliseconds until a command is delivered again whose dead letter could not be kept. */
const DEAD_LETTER_AGAIN_MS = 5_000;

/** Commands from JetStream: one durable pull consumer for a site's app, and the only place that decides ack, nak, in-progress or term. */
@Injectable()
export class CommandServer extends Server {
  override readonly transportId = COMMAND_TRANSPORT;
  override readonly propagatesEventHandlerErrors = true;
  protected override readonly logger = new Logger(CommandServer.name);
  private closed = false;
  private consumer: DurableConsumer | undefined;
  private readonly underWay = new Set<Promise<void>>();
  private freeSlot: (() => void) | undefined;

  constructor(
    private readonly bus: Bus,
    @Inject(DEAD_LETTERS) private readonly deadLetters: DeadLetters,
    @Inject(ACK_WAIT_SECONDS) private readonly ackWaitSeconds: number,
    @Optional() @Inject(HANDLER_OBSERVER) private readonly observer?: HandlerObserver,
  ) {
    super();
  }

  /** @throws LiftlockError `misconfigured`, naming the message, when one has no handler: the service does not start. */
  override listen(callback: (error?: unknown) => void): void {
    const { app } = this.bus.options;
    const missing = handledBy(app).commands.filter(
      (name) => this.getHandlerByPattern(commandPattern(name)) === null,
    );
    if (missing.length > 0) {
      throw new LiftlockError(
        'misconfigured',
        `${app} has no handler for ${missing.join(', ')}: add it to commandHandlers() in its module`,
      );
    }
    if (handledBy(app).commands.length > 0) {
      const { site } = this.bus.options;
      this.consumer = new DurableConsumer(
        this.bus,
        {
          stream: COMMAND_STREAM,
          name: commandConsumer(app, site),
          filter: commandFilter(app, site),
          ackWaitSeconds: this.ackWaitSeconds,
          ahead: AHEAD,
          logger: this.logger,
        },
        (message) => this.draw(message),
      );
      this.consumer.start();
    }
    callback();
  }

  /** Takes nothing new, and waits for what is being handled. */
  override async close(): Promise<void> {
    this.closed = true;
    void this.consumer?.stop();
    this.freeSlot?.();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), CLOSE_DEADLINE_MS);
    });
    const ended = await Promise.race([Promise.allSettled(this.underWay), late]);
    clearTimeout(timer);
    if (ended !== 'late') return;
    this.logger.warn(
      `${this.underWay.size} commands were still being handled after ${CLOSE_DEADLINE_MS} ms: they will be delivered again`,
    );
  }

  override on(): void {
    // nothing to listen to: the bus tells of its connection itself
  }

  override unwrap<T>(): T {
    return this.bus.nats as T;
  }

  /** Begins with it as soon as a handler's place is free. */
  private async draw(message: JsMsg): Promise<void> {
    await this.slot();
    if (this.closed) {
      // another replica may have it at once
      this.answer(message, () => message.nak());
      return;
    }
    const work = this.take(message).finally(() => {
      this.underWay.delete(work);
      this.freeSlot?.();
    });
    this.underWay.add(work);
  }

  private async slot(): Promise<void> {
    while (this.underWay.size >= CONCURRENCY && !this.closed) {
      await new Promise<void>((resolve) => {
        this.freeSlot = resolve;
      });
    }
  }

  private async take(message: JsMsg): Promise<void> {
    const began = performance.now();
    const beat = setInterval(
      () => this.answer(message, () => message.working()),
      (this.ackWaitSeconds * 1_000) / 3,
    );
    let outcome: 'ok' | 'again' | 'dead_letter' = 'ok';
    let contract: CommandContract | undefined;
    try {
      contract = await this.handle(message);
      this.answer(message, () => message.ack());
    } catch (thrown) {
      contract = knownContract(message);
      outcome = await this.refuse(message, LiftlockError.from(thrown), contract);
    } finally {
      clearInterval(beat);
      const name = contract?.name ?? 'unknown';
      this.observer?.handled('command', name, outcome, (performance.now() - began) / 1_000);
    }
  }

  private async handle(message: JsMsg): Promise<CommandContract> {
    const envelope = readEnvelope(message);
    const contract = contractOf(envelope);
    const deliveries = message.info.deliveryCount;
    if (isExhausted(contract, deliveries)) {
      throw new LiftlockError(
        'internal',
        `it was delivered ${deliveries} times and never came to an end`,
        { retryable: false },
      );
    }
    const data: unknown = parseMessage(
      contract.data,
      envelope.data,
      'invalid_request',
      `${envelope.name} ${envelope.id}`,
    );
    // Nest's own look-up tries to read each name as JSON, and catches what that throws
    const handler = this.getHandlers().get(commandPattern(contract.name));
    if (handler === undefined)
      throw new LiftlockError('misconfigured', `no handler for ${envelope.name}`);
    const result: unknown = await handler(data, envelope);
    if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
    return contract;
  }

  private async refuse(
    message: JsMsg,
    error: LiftlockError,
    contract: CommandContract | undefined,
  ): Promise<'again' | 'dead_letter'> {
    const deliveries = message.info.deliveryCount;
    const verdict = verdictOn(error, contract, deliveries);
    const what = `${message.subject} (delivery ${deliveries}): ${error.code}: ${error.message}`;
    switch (verdict.kind) {
      case 'again':
        this.logger.warn(`${what}; again in ${verdict.delayMs} ms`);
        this.answer(message, () => message.nak(verdict.delayMs));
        return 'again';
      case 'dead_letter':
        this.logger.error(`${what}; kept as a dead letter`, error.stack);
        return this.bury(message, error);
      default:
        return assertNever(verdict);
    }
  }

  private async bury(message: JsMsg, error: LiftlockError): Promise<'again' | 'dead_letter'> {
    try {
      await keepDeadLetter(this.deadLetters, message, error);
    } catch (cause) {
      this.logger.error(
        `the dead letter of ${message.subject} could not be kept: ${String(cause)}`,
      );
      this.answer(message, () => message.nak(DEAD_LETTER_AGAIN_MS));
      return 'again';
    }
    // without a reason: 2.9 ignores a term that has one
    this.answer(message, () => message.term());
    return 'dead_letter';
  }

  /** An answer that cannot be sent any more (the connection is closed) is not missed: the broker delivers again. */
  private answer(message: JsMsg, how: () => void): void {
    try {
      how();
    } catch (error) {
      this.logger.warn(`${message.subject}: the answer could not be sent: ${String(error)}`);
    }
  }
}

function readEnvelope(message: JsMsg): CommandEnvelope {
  let json: unknown;
  try {
    json = message.json();
  } catch (cause) {
    throw new LiftlockError('invalid_request', `${message.subject} carries no JSON`, { cause });
  }
  return parseMessage(
    commandEnvelope,
    json,
    'invalid_request',
    `the envelope on ${message.subject}`,
  );
}

function contractOf(envelope: CommandEnvelope): CommandContract {
  const contract = Object.values<CommandContract>(COMMANDS).find(
    (one) => one.name === envelope.name && one.version === envelope.version,
  );
  if (contract === undefined) {
    throw new LiftlockError(
      'invalid_request',
      `the catalogue has no command ${envelope.name} version ${envelope.version}`,
    );
  }
  return contract;
}

function knownContract(message: JsMsg): CommandContract | undefined {
  try {
    return contractOf(readEnvelope(message));
  } catch {
    return undefined;
  }
}
