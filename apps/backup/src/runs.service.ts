import { randomUUID } from 'node:crypto';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { QueryClient } from '#bus';
import type { BackupRun, BackupRunItem, QueryData, QueryReply } from '#contracts';
import type { StepContext } from '#drivers/core';
import {
  Budget,
  digestOf,
  LiftlockError,
  repeat,
  systemIds,
  type Clock,
  type Release,
  type Repeated,
} from '#kernel';
import { UnitOfWork } from '#persistence';
import { RunStore } from './persistence/run.store.js';
import { CLOCK, PARTS_AT_ONCE, QUIETING, type Quieting } from './tokens.js';

/** Seconds that one instance's part may take. */
const TIMEOUT_SECONDS = 6 * 3_600;

/** One instance's part: what is to be done, and where. */
export interface RunPart {
  readonly instance: string;
  readonly backup: string;
  readonly target: StepContext['target'];
  /** The set that the backup is in. */
  readonly set: string;
  /** @returns what is to be told of it */
  act(context: StepContext): Promise<Partial<BackupRunItem>>;
}

export interface WantedRun {
  readonly kind: BackupRun['kind'];
  readonly environment: string;
  readonly application: string;
  readonly folder?: string;
  /** Instances that no upgrade may touch meanwhile. */
  readonly holds: ReadonlyArray<{ readonly instance: string; readonly target: string }>;
  readonly parts: readonly RunPart[];
}

type Asked = Pick<QueryData<'create-backup'>, 'actor' | 'idempotencyKey'> & {
  readonly request: unknown;
};

/**
 * What a person asked for goes on in the service, whoever waits for it. Written down before anything is held or touched: what a killed process
 * was at is told as failed by another, and its instances are let go of, as soon as all that it had stopped or paused runs again.
 */
@Injectable()
export class RunsService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(RunsService.name);
  private readonly holder = randomUUID();
  private readonly stopping = new AbortController();
  private readonly underWay = new Set<Promise<void>>();
  private readonly room: Budget;
  private sweeps: Repeated | undefined;

  constructor(
    private readonly work: UnitOfWork,
    private readonly runs: RunStore,
    private readonly queries: QueryClient,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(QUIETING) private readonly options: Quieting,
    @Inject(PARTS_AT_ONCE) partsAtOnce: number,
  ) {
    this.room = new Budget(partsAtOnce);
  }

  onApplicationBootstrap(): void {
    this.sweeps = repeat(
      this.options.sweepMs,
      () => this.sweep(),
      (error) =>
        this.logger.error(`what nobody is at any more was not looked for: ${String(error)}`),
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    const swept = this.sweeps?.end();
    this.stopping.abort(new LiftlockError('unavailable', 'the backup service ends: ask again'));
    await Promise.all(this.underWay);
    await swept;
  }

  /** @throws LiftlockError `not_found` */
  async get(id: string): Promise<BackupRun> {
    const found = await this.work.single((db) => this.runs.find(db, id));
    if (found !== undefined) return found;
    throw new LiftlockError('not_found', `nothing with the id ${id} was asked for at this site`);
  }

  /**
   * Begins, and answers at once.
   * @param want found out only where the key is not known yet
   * @throws LiftlockError `lock_held` naming who holds an instance; `idempotency_mismatch`
   */
  async begin(
    asked: Asked,
    want: (id: string) => Promise<WantedRun>,
  ): Promise<QueryReply<'create-backup'>> {
    const known = await this.known(asked);
    if (known !== undefined) return { run: known, created: false };
    const id = systemIds.next('bak');
    const wanted = await want(id);
    const { kind, environment, application, folder, parts } = wanted;
    const run: BackupRun = {
      ...{ id, kind, environment, application, actor: asked.actor },
      ...{ state: 'running', startedAt: this.clock.now().toISOString() },
      ...(folder === undefined ? {} : { folder }),
      items: parts.map(({ instance, backup }) => ({ instance, backup, state: 'waiting' })),
    };
    const row = {
      ...{ run, site: this.options.site, requestDigest: digestOf(asked.request) },
      idempotencyKey: asked.idempotencyKey,
    };
    const holder = randomUUID();
    const isNew = await this.work.run((tx) =>
      this.runs.add(tx, row, holder, this.options.leaseMs * 4),
    );
    if (!isNew) {
      const other = await this.known(asked);
      if (other !== undefined) return { run: other, created: false };
      throw new LiftlockError('unavailable', 'the same key was used at the same time: ask again');
    }
    if (wanted.holds.length > 0) await this.hold(run, holder, wanted.holds);
    const doing = this.perform(run, holder, parts).finally(() => this.underWay.delete(doing));
    this.underWay.add(doing);
    return { run, created: true };
  }

  private async known({ actor, idempotencyKey, request }: Asked): Promise<BackupRun | undefined> {
    if (idempotencyKey === undefined) return undefined;
    const found = await this.work.single((db) => this.runs.byKey(db, actor, idempotencyKey));
    if (found !== undefined && found.requestDigest !== digestOf(request)) {
      throw new LiftlockError(
        'idempotency_mismatch',
        `the Idempotency-Key ${idempotencyKey} belongs to another request (${found.run.id}): take a new key`,
      );
    }
    return found?.run;
  }

  private async hold(
    { id, environment, application }: BackupRun,
    holder: string,
    holds: WantedRun['holds'],
  ): Promise<void> {
    // where nobody answers it may be held all the same: the sweep lets go of it
    const instances = [...holds];
    const { heldBy } = await this.queries.ask('hold-instances', {
      ...{ id, environment, application, instances },
    });
    if (heldBy === undefined) return;
    await this.work.single((db) => this.runs.forget(db, id, holder));
    throw new LiftlockError(
      'lock_held',
      `${heldBy.instance} in ${environment} is held by ${heldBy.holder}: wait until it has ended`,
      { details: { ...heldBy } },
    );
  }

  /** Never rejects: whoever asked has had an answer long ago. */
  private async perform(
    asked: BackupRun,
    holder: string,
    parts: readonly RunPart[],
  ): Promise<void> {
    const { leaseMs } = this.options;
    const lost = new AbortController();
    let run = asked;
    const tell = async (): Promise<void> => {
      const ours = await this.work.single((db) => this.runs.tell(db, run, holder, leaseMs));
      if (!ours) lost.abort(new LiftlockError('fenced', 'another process has taken it over'));
    };
    const change = (instance: string, changes: Partial<BackupRunItem>): void => {
      const items = run.items.map((item) =>
        item.instance === instance ? { ...item, ...changes } : item,
      );
      run = { ...run, items };
    };
    // the lease outlives a database that is away for a moment
    const renewing = setInterval(
      () => void tell().catch((error: unknown) => this.logger.warn(`${run.id}: ${String(error)}`)),
      leaseMs / 3,
    );
    const signal = AbortSignal.any([this.stopping.signal, lost.signal]);
    try {
      for (const part of parts) {
        let release: Release | undefined;
        try {
          release = await this.room.take(1, signal);
          change(part.instance, { state: 'running' });
          const context = this.contextOf(asked, part, signal, tell, change);
          change(part.instance, { ...(await part.act(context)), state: 'succeeded' });
        } catch (error) {
          const problem = LiftlockError.from(signal.aborted ? signal.reason : error).message;
          this.logger.error(`${run.id}: ${part.instance}: ${problem}`);
          change(part.instance, { state: 'failed', problem });
        } finally {
          release?.();
        }
      }
      const isGood = run.items.every(({ state }) => state === 'succeeded');
      await this.end({ ...run, state: isGood ? 'succeeded' : 'failed' }, holder);
    } catch (error) {
      this.logger.error(`${run.id} ended, and could not be told: ${String(error)}`);
    } finally {
      clearInterval(renewing);
    }
  }

  /** First its instances are let go of, so that whoever has seen its end may go on. */
  private async end(run: BackupRun, holder: string): Promise<void> {
    const ended = { ...run, endedAt: this.clock.now().toISOString() };
    await this.letGo(run.id);
    await this.work.single((db) => this.runs.tell(db, ended, holder, 0));
  }

  private async letGo(id: string): Promise<void> {
    try {
      await this.queries.ask('let-go-instances', { id });
      await this.work.single((db) => this.runs.wasLetGo(db, id));
    } catch (error) {
      this.logger.warn(`the instances of ${id} are let go of by the next sweep: ${String(error)}`);
    }
  }

  private async sweep(): Promise<void> {
    const { leaseMs, site } = this.options;
    // one statement: it is asked all the time, and there is hardly ever one
    const left = await this.work.single((db) =>
      this.runs.takeAbandoned(db, site, this.holder, leaseMs),
    );
    for (const run of left) {
      if (run.state !== 'running') {
        await this.letGo(run.id);
        continue;
      }
      const problem =
        'the backup service ended before this was done; what it had stopped or paused runs again: ask again';
      const items = run.items.map((item): BackupRunItem =>
        item.state === 'succeeded' ? item : { ...item, state: 'failed', problem },
      );
      this.logger.warn(`${run.id} was cut off: ${problem}`);
      await this.end({ ...run, items, state: 'failed' }, this.holder);
    }
  }

  private contextOf(
    run: BackupRun,
    { instance, target, set }: RunPart,
    signal: AbortSignal,
    tell: () => Promise<void>,
    change: (instance: string, changes: Partial<BackupRunItem>) => void,
  ): StepContext {
    const { id, kind, environment, application } = run;
    return {
      ...{ upgrade: set, environment, application, target, signal },
      stepId: `${kind === 'create' ? 'backup' : 'restore'}/${instance}`,
      ...{ token: 1, attempt: 1, timeoutSeconds: TIMEOUT_SECONDS },
      guard: async () => {
        await tell();
        signal.throwIfAborted();
      },
      log: (text, level = 'info') =>
        level === 'info' ? this.logger.log(`${id}: ${text}`) : this.logger.warn(`${id}: ${text}`),
      transfer: ({ doneBytes, totalBytes }) => change(instance, { doneBytes, totalBytes }),
    };
  }
}
