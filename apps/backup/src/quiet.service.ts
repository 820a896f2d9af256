import { randomUUID } from 'node:crypto';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { ActionInput, CommandWork } from '#contracts';
import {
  DriverRegistry,
  TextSecrets,
  withHookSecrets,
  type DataSource,
  type StepContext,
} from '#drivers/core';
import { LiftlockError, repeat, type Repeated } from '#kernel';
import { UnitOfWork } from '#persistence';
import { QuietStore, type QuietRecord } from './persistence/quiet.store.js';
import { QUIETING, type Quieting } from './tokens.js';

/** Seconds that it may take to let go on what was stopped or paused, besides the application's command. */
const RESUME_SECONDS = 300;
/** What is said of a container that ran, and did not stay. */
const ENDED: ReadonlySet<string> = new Set(['container_exited', 'out_of_memory']);

/** How data is to be kept from changing while it is read. */
export type QuietSource = DataSource &
  Pick<ActionInput<'data.snapshot'>, 'consistency' | 'hooks'> & {
    /** Stop it here, and start it again; default: whoever asks has stopped it. */
    readonly stop?: { readonly timeoutSeconds?: number | undefined } | undefined;
  };

/**
 * A bracket around the reading of data: the application's command before, pause or stop; and on every exit whatever lets it go on. It is written
 * down before anything is touched, so that another process does it when this one is killed: the next attempt at once, else the sweep, when
 * the lease has ended.
 */
@Injectable()
export class QuietService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(QuietService.name);
  private readonly holder = randomUUID();
  private sweeps: Repeated | undefined;

  constructor(
    private readonly work: UnitOfWork,
    private readonly quiets: QuietStore,
    private readonly drivers: DriverRegistry,
    private readonly secrets: TextSecrets,
    @Inject(QUIETING) private readonly options: Quieting,
  ) {}

  onApplicationBootstrap(): void {
    this.sweeps = repeat(
      this.options.sweepMs,
      () => this.sweep(),
      (error) => this.logger.error(`what stands still was not looked for: ${String(error)}`),
    );
    this.sweeps.now();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.sweeps?.end();
  }

  /**
   * @param read is given a context that ends when the data is not certain to be quiet any more
   * @throws LiftlockError `data_changed` when it was let go on before the reading had ended: what was read does not count
   */
  async during<T>(
    context: StepContext,
    source: QuietSource,
    read: (context: StepContext) => Promise<T>,
  ): Promise<T> {
    const record = await this.neededFor(context, source);
    if (record === undefined) return read(context);
    await context.guard();
    const holder = randomUUID();
    await this.write(record, holder);
    return this.holding(record, holder, context, async (held) => {
      let outcome: { readonly value: T } | { readonly error: unknown };
      try {
        await this.quieten(held, source, record);
        const value = await read(held);
        await this.assertHeld(record, holder);
        outcome = { value };
      } catch (error) {
        outcome = { error };
      }
      try {
        await this.letGoOn(record, holder, context);
      } catch (error) {
        await this.leave(record, holder, error);
        if (!('error' in outcome)) throw error;
      }
      if ('error' in outcome) throw outcome.error;
      return outcome.value;
    });
  }

  /** What an attempt left that is fenced by now goes on before anything else is done. */
  async releaseEarlier(context: StepContext): Promise<void> {
    const { leaseMs } = this.options;
    const { upgrade, stepId, token } = context;
    const holder = randomUUID();
    const earlier = await this.work.run((tx) =>
      this.quiets.takeOf(tx, { upgrade, stepId, token }, holder, leaseMs),
    );
    for (const record of earlier) await this.release(record, holder, context);
  }

  /** Lets go on what nobody holds any more. What cannot be reached is tried again by the next sweep. */
  async sweep(): Promise<void> {
    const { leaseMs, site } = this.options;
    // one statement: it is asked all the time, and there is hardly ever one
    const abandoned = await this.work.single((db) =>
      this.quiets.takeAbandoned(db, site, this.holder, leaseMs),
    );
    await Promise.all(
      abandoned.map(async (record) => {
        this.logger.warn(
          `${record.container} on ${record.target.name} was ${doneTo(record)} for a snapshot (${record.upgrade}) by a process that is gone: it is let go on`,
        );
        await this.release(record, this.holder).catch((error: unknown) =>
          this.logger.error(
            `${record.container} on ${record.target.name} is still ${doneTo(record)}, and is tried again: ${String(error)}`,
          ),
        );
      }),
    );
  }

  private async release(record: QuietRecord, holder: string, context?: StepContext): Promise<void> {
    await this.holding(record, holder, context, async () => {
      try {
        await this.letGoOn(record, holder, context);
      } catch (error) {
        await this.leave(record, holder, error);
        throw error;
      }
    });
  }

  /** What is to be done, and undone; nothing where it is quiet, or need not be. */
  private async neededFor(
    context: StepContext,
    source: QuietSource,
  ): Promise<QuietRecord | undefined> {
    const { consistency, hooks, stop } = source;
    const touches = consistency === 'paused' || stop !== undefined;
    if (!touches && hooks === undefined) return undefined;
    // what works on a folder stands still on other machines, too, or does not: nobody here could tell
    const data =
      source.folder === undefined
        ? (await this.drivers.get(context.target.driver)).data
        : undefined;
    const found = await data?.look?.(context, source);
    if (found === undefined || (found.state === 'running' && data?.pausing === undefined)) {
      throw new LiftlockError(
        'misconfigured',
        `what works on the data of ${source.container} on ${context.target.name} (${context.target.driver}) can neither be paused nor stopped for a snapshot, and is given no commands around it: ` +
          "let the component's document say data.consistency: running, and no data.hooks" +
          (found === undefined ? '' : '; or stop it yourself before'),
      );
    }
    const { state, containerId } = found;
    if (state !== 'running') {
      if (state === 'paused' && stop !== undefined)
        throw new LiftlockError(
          'conflict',
          `${source.container} on ${context.target.name} is paused, and not by us: let it go on (docker unpause ${source.container}), or let its document say data.consistency: paused`,
        );
      context.log(`${source.container} is ${state}: nothing has to be done for it to be quiet`);
      return undefined;
    }
    const resume = stop !== undefined ? 'start' : consistency === 'paused' ? 'unpause' : undefined;
    return {
      id: randomUUID(),
      upgrade: context.upgrade,
      environment: context.environment,
      application: context.application,
      stepId: context.stepId,
      token: context.token,
      target: context.target,
      container: source.container,
      containerId,
      keptName: source.keptName,
      paths: [...source.paths],
      ...(resume === undefined ? {} : { resume }),
      ...(hooks?.after === undefined ? {} : { after: hooks.after }),
      timeoutSeconds: hooks?.timeoutSeconds ?? RESUME_SECONDS,
    };
  }

  private async write(record: QuietRecord, holder: string): Promise<void> {
    await this.work.run(async (tx) => {
      const other = await this.quiets.of(tx, record.containerId);
      if (other !== undefined) {
        throw new LiftlockError(
          'unavailable',
          `${record.container} on ${record.target.name} is ${doneTo(other)} for another snapshot (${other.upgrade}): it is tried again when that has ended`,
        );
      }
      await this.quiets.add(tx, record, holder, this.options.leaseMs);
    });
  }

  private async quieten(
    context: StepContext,
    source: QuietSource,
    record: QuietRecord,
  ): Promise<void> {
    const { data, instances } = await this.drivers.get(context.target.driver);
    const before = source.hooks?.before;
    if (before !== undefined) await this.command(context, record, before, false);
    const { container, containerId } = record;
    const stopTimeoutSeconds = source.stop?.timeoutSeconds;
    if (record.resume === 'unpause') await data.pausing?.pause(context, source);
    if (record.resume === 'start')
      await instances.stop(context, {
        ...{ container, containerId },
        ...(stopTimeoutSeconds === undefined ? {} : { stopTimeoutSeconds }),
      });
  }

  /** However the attempt ended: not by its signal, and not by its guard, but by the record, which is the fence of this. */
  private async letGoOn(record: QuietRecord, holder: string, of?: StepContext): Promise<void> {
    const context = this.contextOf(record, holder, of);
    const { data, instances } = await this.drivers.get(record.target.driver);
    const { container, containerId, keptName } = record;
    const kept = { container, containerId, keptName };
    if (record.resume === 'unpause') await data.pausing?.resume(context, record);
    if (record.resume === 'start')
      await goneIsWell(context, async () => {
        try {
          await instances.restoreOld(context, { ...kept, start: true });
        } catch (error) {
          if (!(error instanceof LiftlockError) || !ENDED.has(error.code)) throw error;
          // it was started, and ends by itself: to do it again and again would help nobody
          context.log(`${container} was started again, and ended: ${error.message}`, 'error');
          await instances.restoreOld(context, { ...kept, start: false });
        }
      });
    const { after } = record;
    if (after !== undefined)
      await goneIsWell(context, () => this.command(context, record, after, true));
    await this.work.run((tx) => this.quiets.remove(tx, record.id, holder));
  }

  private async leave(record: QuietRecord, holder: string, why: unknown): Promise<void> {
    this.logger.error(
      `${record.container} on ${record.target.name} stays ${doneTo(record)} for now: ${String(why)}`,
    );
    await this.work
      .single((db) => this.quiets.letGo(db, record.id, holder))
      // then its lease ends by itself
      .catch(() => undefined);
  }

  private async command(
    context: StepContext,
    { container, timeoutSeconds }: QuietRecord,
    work: CommandWork,
    onlyWhileRunning: boolean,
  ): Promise<void> {
    const { hooks } = await this.drivers.get(context.target.driver);
    const signal = AbortSignal.any([
      context.signal,
      AbortSignal.timeout(Math.ceil(timeoutSeconds * 1_000)),
    ]);
    const bounded = Object.assign(Object.create(context) as StepContext, { signal });
    await withHookSecrets(this.secrets, bounded, work, (inner, filled) =>
      hooks.command(inner, { container, work: filled, onlyWhileRunning }),
    );
  }

  /** Keeps the lease; the work ends when it is lost. */
  private async holding<T>(
    record: QuietRecord,
    holder: string,
    context: StepContext | undefined,
    work: (context: StepContext) => Promise<T>,
  ): Promise<T> {
    const { leaseMs } = this.options;
    const lost = new AbortController();
    const renewing = setInterval(() => {
      this.work
        .single((db) => this.quiets.renew(db, record.id, holder, leaseMs))
        .then((ours) => {
          if (!ours) lost.abort(wasLetGoOn(record));
        })
        // the lease outlives a database that is away for a moment
        .catch((error: unknown) => this.logger.warn(`${record.container}: ${String(error)}`));
    }, leaseMs / 3);
    try {
      const own = context ?? this.contextOf(record, holder);
      const signal = AbortSignal.any([own.signal, lost.signal]);
      return await work(Object.assign(Object.create(own) as StepContext, { signal }));
    } finally {
      clearInterval(renewing);
    }
  }

  private async assertHeld(record: QuietRecord, holder: string): Promise<void> {
    const { leaseMs } = this.options;
    if (await this.work.single((db) => this.quiets.renew(db, record.id, holder, leaseMs))) return;
    throw wasLetGoOn(record);
  }

  private contextOf(record: QuietRecord, holder: string, of?: StepContext): StepContext {
    const { upgrade, environment, application, stepId, token, target } = record;
    const timeoutSeconds = RESUME_SECONDS + record.timeoutSeconds;
    return {
      ...{ upgrade, environment, application, stepId, token, target, timeoutSeconds },
      attempt: 1,
      signal: AbortSignal.timeout(timeoutSeconds * 1_000),
      guard: () => this.assertHeld(record, holder),
      log: (text, level) =>
        of === undefined ? this.logger.log(`${record.upgrade}: ${text}`) : of.log(text, level),
      transfer: () => undefined,
    };
  }
}

function doneTo({ resume }: QuietRecord): string {
  switch (resume) {
    case 'unpause':
      return 'paused';
    case 'start':
      return 'stopped';
    default:
      return 'held by its command';
  }
}

function wasLetGoOn({ container }: QuietRecord): LiftlockError {
  return new LiftlockError(
    'data_changed',
    `${container} was let go on before its data was read to the end: what was read does not count`,
  );
}

/** A container that is gone needs nothing any more. */
async function goneIsWell(context: StepContext, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof LiftlockError) || error.code !== 'drift') throw error;
    context.log(error.message, 'warn');
  }
}
