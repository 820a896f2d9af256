import { setTimeout as delay } from 'node:timers/promises';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import {
  assertNever,
  inTexts,
  LiftlockError,
  storable,
  systemIds,
  waitFor,
  type ErrorShape,
} from '#kernel';
import { ACTIONS, isActionName, jsonObject, type StepResult } from '#contracts';
import type { StepContext } from '#drivers/core';
import { Outbox, UnitOfWork } from '#persistence';
import { Answers } from './answers.js';
import { Attempt } from './attempt.js';
import { ClaimStore, type StoredResult } from './claim.store.js';
import {
  keyText,
  parseKey,
  STEP_HANDLERS,
  STEP_QUEUE,
  STEPS_OPTIONS,
  type AnyStepHandlers,
  type AttemptKey,
  type RunStep,
  type StepQueue,
  type StepsOptions,
} from './options.js';
import { Revocations } from './revocations.js';
import { StepLog } from './step-log.js';
import { Transfers } from './transfers.js';

/** Milliseconds after which those who watch are told that an attempt has begun; what has ended by then is told as one. */
const TELL_AFTER_MS = 500;
/** What runs gets this long to end by itself when the service stops. */
const SHUTDOWN_MS = 5_000;
const DEAF_MS = 10_000;
/** The same when the service stops: it must report before it is killed. */
const DEAF_AT_SHUTDOWN_MS = 1_000;
const LEAVE_MS = 4_000;
/** How long a result waits for a database that is away. */
const RESULT_DEADLINE_MS = 600_000;

interface Run {
  readonly key: AttemptKey;
  /** Not there before it is claimed. */
  attempt: Attempt | undefined;
  done: Promise<void>;
}

/** Runs attempts: claim, lease, action, result; nothing counts that was not ours to the end. */
@Injectable()
export class Runner implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(Runner.name);
  /** This process, for one boot. */
  readonly owner = systemIds.next('own');
  private readonly runs = new Map<string, Run>();
  /** Nothing new begins. */
  private closing = false;
  /** What runs is told to stop. */
  private leaving = false;
  private readonly left = new AbortController();

  constructor(
    private readonly work: UnitOfWork,
    private readonly claims: ClaimStore,
    private readonly answers: Answers,
    private readonly revocations: Revocations,
    private readonly outbox: Outbox,
    private readonly stepLog: StepLog,
    private readonly transfers: Transfers,
    @Inject(STEP_HANDLERS) private readonly handlers: AnyStepHandlers,
    @Inject(STEP_QUEUE) private readonly queue: StepQueue,
    @Inject(STEPS_OPTIONS) private readonly options: StepsOptions,
  ) {}

  onApplicationBootstrap(): void {
    this.queue.start((text) => this.run(parseKey(text)));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.closing = true;
    const closed = this.queue.close();
    const ended = (): Promise<unknown> =>
      Promise.allSettled([...this.runs.values()].map(({ done }) => done));
    await within(SHUTDOWN_MS, ended());
    this.leaving = true;
    for (const { attempt } of this.runs.values()) attempt?.end(stoppedUnder());
    await within(
      this.options.leaveMs ?? LEAVE_MS,
      Promise.allSettled([ended(), closed]).then(() => this.stepLog.settle()),
    );
    this.left.abort(new LiftlockError('unavailable', 'the service has stopped'));
  }

  /** A later token has taken over, or the attempt is called back: what runs here of this step is to stop. */
  fence(upgrade: string, stepId: string, token: number): void {
    for (const { key, attempt } of this.runs.values()) {
      if (key.upgrade === upgrade && key.stepId === stepId && key.token < token) {
        attempt?.end(new LiftlockError('fenced', `token ${token} has taken over`));
      }
    }
  }

  async run(key: AttemptKey): Promise<void> {
    const text = keyText(key);
    if (this.closing || this.runs.has(text)) return;
    const run: Run = { key, attempt: undefined, done: Promise.resolve() };
    this.runs.set(text, run);
    run.done = this.begin(run).finally(() => this.runs.delete(text));
    await run.done;
  }

  private async begin(run: Run): Promise<void> {
    const { key } = run;
    const askedAt = performance.now();
    let command: RunStep | undefined;
    try {
      command = await this.work.single((db) =>
        this.claims.begin(db, key, this.owner, this.options.leaseMs),
      );
    } catch (error) {
      // the sweeper enqueues it again
      this.logger.warn(
        `${keyText(key)} could not be claimed: ${LiftlockError.from(error).message}`,
      );
      return;
    }
    if (command === undefined) return;
    run.attempt = new Attempt(askedAt, this.options.leaseMs);
    if (this.leaving) run.attempt.end(stoppedUnder());
    await this.carryOut(key, command, run.attempt);
  }

  private async carryOut(key: AttemptKey, command: RunStep, attempt: Attempt): Promise<void> {
    const startedAt = new Date();
    const { heartbeatMs = this.options.leaseMs / 3 } = this.options;
    const heartbeat = setInterval(() => void this.renew(key, attempt), heartbeatMs);
    const timeout = setTimeout(
      () =>
        attempt.end(
          new LiftlockError(
            'timeout',
            `${command.step.title}: not within ${command.step.timeoutSeconds} s`,
          ),
        ),
      command.step.timeoutSeconds * 1000,
    );
    const began = performance.now();
    const ended = new AbortController();
    const told = delay(TELL_AFTER_MS, undefined, { signal: ended.signal }).then(
      () => this.tellStart(key, command, attempt),
      () => undefined,
    );
    try {
      // what an action tells is often another's words, and one that cannot be stored would be told to nobody
      const result = inTexts(await this.act(key, command, attempt), storable);
      const actionMs = performance.now() - began;
      const endedAt = new Date().toISOString();
      ended.abort();
      await told;
      await this.report(key, attempt, {
        result,
        attempt: command.attempt,
        startedAt: startedAt.toISOString(),
        endedAt,
        actionMs,
      });
    } catch (error) {
      this.logger.error(
        `the result of ${keyText(key)} could not be stored: ${LiftlockError.from(error).message}`,
      );
    } finally {
      clearInterval(heartbeat);
      clearTimeout(timeout);
      attempt.close();
    }
  }

  /** The action does not wait for it: nothing follows from it. What was not told is told with the result. */
  private async tellStart(key: AttemptKey, command: RunStep, attempt: Attempt): Promise<void> {
    try {
      const start = this.answers.started(key, command.attempt, this.owner);
      await this.work.single((db) => this.outbox.addAlone(db, start));
      attempt.isStartTold = true;
    } catch (error) {
      this.logger.warn(
        `${keyText(key)}: its start is not told yet: ${LiftlockError.from(error).message}`,
      );
    }
  }

  private async act(key: AttemptKey, command: RunStep, attempt: Attempt): Promise<StepResult> {
    try {
      const { deafMs = DEAF_MS } = this.options;
      const output = await endOf(this.call(key, command, attempt), attempt, deafMs);
      return { outcome: 'succeeded', output: jsonObject.parse(output) };
    } catch (thrown) {
      // how it ended says less than why it was ended
      const error = LiftlockError.from(attempt.signal.aborted ? attempt.signal.reason : thrown);
      this.stepLog.add(key, `${error.code}: ${error.message}`, 'error');
      // a lease that has ended is no fault of the step: if it was not taken over, it is as if its process had died
      if (error.code === 'lost' || error.code === 'fenced')
        return { outcome: 'lost', error: { ...wire(error), code: 'lost' } };
      return { outcome: 'failed', error: wire(error), effect: attempt.began ? 'possible' : 'none' };
    }
  }

  private async call(key: AttemptKey, command: RunStep, attempt: Attempt): Promise<object> {
    const { step } = command;
    if (!isActionName(step.action))
      throw new LiftlockError('unknown_action', `no service knows the action ${step.action}`);
    const input = ACTIONS[step.action].input.safeParse(step.input);
    if (!input.success)
      throw new LiftlockError(
        'invalid_step',
        `the input of ${step.id} is not as the catalogue says: ${input.error.message}`,
      );
    const handler = this.handlers[step.action];
    if (handler === undefined)
      throw new LiftlockError('unknown_action', `${this.options.app} does not run ${step.action}`);
    const transfer = this.transfers.begin(command);
    const context: StepContext = {
      upgrade: command.upgrade,
      environment: command.environment,
      application: command.application,
      stepId: command.stepId,
      token: command.token,
      attempt: command.attempt,
      target: step.target,
      timeoutSeconds: step.timeoutSeconds,
      signal: attempt.signal,
      guard: () => this.guard(key, attempt),
      log: (line, level) => this.stepLog.add(key, line, level),
      transfer: (state) => transfer.at(state),
    };
    const stopped = (): void => transfer.end(false);
    // also of one that is deaf to it nothing more is told
    attempt.signal.addEventListener('abort', stopped, { once: true });
    try {
      const output = await handler(context, input.data as never);
      transfer.end(true);
      return output;
    } finally {
      stopped();
    }
  }

  private async guard(key: AttemptKey, attempt: Attempt): Promise<void> {
    attempt.assertAlive();
    const ours = await this.work.single((db) => this.claims.isOurs(db, key, this.owner));
    if (!ours) attempt.end(new LiftlockError('fenced', 'a later attempt has taken over'));
    attempt.assertAlive();
    attempt.began = true;
  }

  private async renew(key: AttemptKey, attempt: Attempt): Promise<void> {
    const askedAt = performance.now();
    try {
      if (
        await this.work.single((db) => this.claims.renew(db, key, this.owner, this.options.leaseMs))
      )
        attempt.renewed(askedAt);
      else attempt.end(new LiftlockError('fenced', 'a later attempt has taken over'));
    } catch {
      // the database is away: it may be back before the lease ends; when it is not, the attempt ends by itself
    }
  }

  private async report(key: AttemptKey, attempt: Attempt, stored: StoredResult): Promise<void> {
    const facts = {
      began: attempt.began || stored.result.outcome !== 'failed',
      free: !attempt.deaf,
    };
    const messages = [
      ...(attempt.isStartTold ? [] : [this.answers.started(key, stored.attempt, this.owner)]),
      this.answers.finished(key, stored),
    ];
    const change = this.claims.finishing(key, this.owner, stored, facts);
    const outcome = await waitFor(
      async () => {
        if (await this.work.single((db) => this.outbox.addIfChanged(db, change, messages)))
          return { again: undefined };
        return { again: await this.work.run((tx) => this.stop(tx, key, attempt)) };
      },
      {
        what: `the result of ${keyText(key)}`,
        deadlineMs: RESULT_DEADLINE_MS,
        everyMs: 250,
        signal: this.left.signal,
      },
    );
    if (outcome.again !== undefined) await this.queue.enqueue(keyText(outcome.again));
  }

  /** It was not ours to the end: what waited for it to stop can go on. @returns the attempt that may begin now. */
  private async stop(
    tx: Parameters<Parameters<UnitOfWork['run']>[0]>[0],
    key: AttemptKey,
    attempt: Attempt,
  ): Promise<AttemptKey | undefined> {
    this.logger.warn(`${keyText(key)} was fenced; its result counts for nothing`);
    // it may still be at work: the lease, which is not renewed any more, says until when
    if (attempt.deaf) return undefined;
    const claim = await this.claims.stopped(tx, key, this.owner, attempt.began);
    if (claim === undefined) return undefined;
    switch (claim.state) {
      case 'revoking':
        await this.revocations.grant(tx, claim);
        return undefined;
      case 'accepted':
        return claim;
      case 'running':
      case 'finished':
      case 'revoked':
        return undefined;
      default:
        return assertNever(claim.state, 'claim state');
    }
  }
}

/** The action's end; or, when it was told to stop and does not, the reason it was told. */
async function endOf<T>(action: Promise<T>, attempt: Attempt, deafMs: number): Promise<T> {
  const { signal } = attempt;
  let timer: NodeJS.Timeout | undefined;
  const deaf = new Promise<never>((_resolve, reject) => {
    const giveUp = (): void => {
      const reason = LiftlockError.from(signal.reason);
      timer = setTimeout(
        () => {
          attempt.deaf = true;
          reject(reason);
        },
        reason.code === 'lost' ? DEAF_AT_SHUTDOWN_MS : deafMs,
      );
    };
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp);
  });
  try {
    return await Promise.race([action, deaf]);
  } finally {
    clearTimeout(timer);
  }
}

function stoppedUnder(): LiftlockError {
  return new LiftlockError('lost', 'the service was stopped under the attempt');
}

/** Resolves when the work has ended, or its time has. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function wire(error: LiftlockError): Extract<StepResult, { outcome: 'failed' }>['error'] {
  const { issues, details, ...shape }: ErrorShape = error.toShape();
  return {
    ...shape,
    ...(issues === undefined ? {} : { issues: issues.map((issue) => ({ ...issue })) }),
    ...(details === undefined ? {} : { details: { ...details } }),
  };
}
