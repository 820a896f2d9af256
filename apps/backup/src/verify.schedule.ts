import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { LiftlockError } from '#kernel';
import { UnitOfWork } from '#persistence';
import { CatalogueService } from './catalogue.service.js';
import type { BackupRow } from './persistence/backup-row.js';
import { VerificationStore } from './persistence/verification.store.js';
import { VERIFYING, type Verifying } from './tokens.js';
import { VerifyService } from './verify.service.js';

const DAY_MS = 24 * 3_600 * 1_000;
/** Milliseconds after which one that no key opened is tried again: keys are given by people. */
const CLOSED_MS = 3_600 * 1_000;

/**
 * Reads every backup of this site back, each after so many days, the one that was not looked at for the longest time first: one at a time,
 * whichever replica does it, and slowly.
 */
@Injectable()
export class VerifySchedule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(VerifySchedule.name);
  private readonly holder = randomUUID();
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  /** Locations of backups that no key opened, and until when they are passed over. */
  private readonly closed = new Map<string, number>();

  constructor(
    private readonly work: UnitOfWork,
    private readonly catalogue: CatalogueService,
    private readonly verifications: VerificationStore,
    private readonly verifying: VerifyService,
    @Inject(VERIFYING) private readonly options: Verifying,
  ) {}

  onApplicationBootstrap(): void {
    if (this.options.everyDays > 0) this.running = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Never rejects. */
  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      let didOne = false;
      try {
        didOne = await this.verifyNext();
      } catch (error) {
        this.logger.warn(`no backup is read back just now: ${String(error)}`);
      }
      if (!didOne)
        await delay(this.options.lookMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** @returns whether there was one, and it is our turn */
  async verifyNext(): Promise<boolean> {
    const { site, everyDays, lookMs } = this.options;
    const leaseMs = Math.max(lookMs * 3, 30_000);
    const take = (): Promise<boolean> =>
      this.work.run((tx) => this.verifications.takeTurn(tx, site, this.holder, leaseMs));
    if (!(await take())) return false;
    const renewing = setInterval(() => {
      take().catch((error: unknown) => this.logger.warn(String(error)));
    }, leaseMs / 3);
    try {
      const due = await this.work.single((db) => this.verifications.due(db, everyDays * DAY_MS));
      const next = await this.firstHere(due);
      if (next === undefined) return false;
      const found = await this.verifying.readBack(next, this.pacer());
      if (found) this.logger.log(`${next.location} was read back`);
      return found;
    } finally {
      clearInterval(renewing);
      await this.work.single((db) => this.verifications.endTurn(db, site, this.holder));
    }
  }

  /** Records are of all sites; folders are of one. */
  private async firstHere(due: readonly BackupRow[]): Promise<BackupRow | undefined> {
    for (const row of due) {
      if ((this.closed.get(row.location) ?? 0) > performance.now()) continue;
      if ((await this.catalogue.look(row)).present === false) continue;
      if (await this.opens(row)) return row;
    }
    return undefined;
  }

  /** One without its key says nothing of its bytes, and must not stand in the way of others. */
  private async opens(row: BackupRow): Promise<boolean> {
    try {
      await this.catalogue.assertOpens(row);
      return true;
    } catch (error) {
      const known = LiftlockError.from(error);
      if (known.code !== 'misconfigured') throw error;
      this.closed.set(row.location, performance.now() + CLOSED_MS);
      this.logger.warn(`${row.location} is not read back: ${known.message}`);
      return false;
    }
  }

  /** Waits as long as it takes for so many bytes, at the rate that is set. */
  private pacer(): (bytes: number, signal: AbortSignal) => Promise<void> {
    const { bytesPerSecond } = this.options;
    const begun = performance.now();
    let read = 0;
    return async (bytes, signal) => {
      read += bytes;
      const ahead = (read / bytesPerSecond) * 1_000 - (performance.now() - begun);
      // less is not worth a timer
      if (ahead > 20) await delay(ahead, undefined, { signal });
    };
  }
}
