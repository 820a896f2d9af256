import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import {
  COMMANDS,
  commandSubject,
  type BackupKeyData,
  type CommandData,
  type CommandEnvelope,
  type ListedBackup,
} from '#contracts';
import { LiftlockError, systemIds } from '#kernel';
import { Outbox, UnitOfWork, type OutboxMessage } from '#persistence';
import { CatalogueService } from './catalogue.service.js';
import type { BackupRow } from './persistence/backup-row.js';
import { VerificationStore } from './persistence/verification.store.js';
import { VERIFYING, type Verifying } from './tokens.js';

/** Milliseconds between two signs of life: several fit into a lease. */
const PROGRESS_MS = 5_000;

/** Told how many more bytes were read: nothing more is, until it has an answer. */
export type Pace = (bytes: number, signal: AbortSignal) => Promise<void>;
const atOnce: Pace = () => Promise.resolve();

/** Reads backups back, all of them, and compares with what was written. Whatever is found is kept with the backup's record. */
@Injectable()
export class VerifyService implements BeforeApplicationShutdown {
  private readonly logger = new Logger(VerifyService.name);
  private readonly stopping = new AbortController();
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly work: UnitOfWork,
    private readonly catalogue: CatalogueService,
    private readonly verifications: VerificationStore,
    private readonly outbox: Outbox,
    @Inject(VERIFYING) private readonly options: Pick<Verifying, 'site'>,
  ) {}

  /**
   * Begins, or joins whoever reads it now, here or in another process.
   * @throws LiftlockError `not_found`; `data_missing` when its folder is gone, which says nothing of what was in it; `misconfigured` when
   *   it is encrypted and no key opens it: bytes that are as they were are no backup without one
   */
  async begin(key: BackupKeyData): Promise<ListedBackup> {
    const row = await this.catalogue.find(key);
    const { present } = await this.catalogue.look(row);
    if (present === false) {
      throw new LiftlockError(
        'data_missing',
        `there is no backup ${this.catalogue.folderOf(row).path} any more: was it moved, or is its store not mounted?`,
      );
    }
    await this.catalogue.assertOpens(row);
    await this.claim(row);
    return this.catalogue.look(await this.catalogue.find(key));
  }

  /**
   * Reads one back, at a pace. That a key opens it was seen.
   * @returns false while another one reads it
   */
  async readBack(row: BackupRow, pace: Pace): Promise<boolean> {
    const claimed = await this.claim(row, pace);
    await claimed?.reading;
    return claimed !== undefined;
  }

  private async claim(
    row: BackupRow,
    pace: Pace = atOnce,
  ): Promise<{ readonly reading: Promise<void> } | undefined> {
    const token = randomUUID();
    if (!(await this.work.run((tx) => this.verifications.claim(tx, row, token)))) return undefined;
    const reading: Promise<void> = this.read(row, token, pace).finally(() =>
      this.running.delete(reading),
    );
    this.running.add(reading);
    return { reading };
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort(new LiftlockError('unavailable', 'the backup service ends'));
    await Promise.all(this.running);
  }

  /** Never rejects: whoever asked has had an answer long ago. */
  private async read(row: BackupRow, token: string, pace: Pace): Promise<void> {
    const lost = new AbortController();
    const signal = AbortSignal.any([this.stopping.signal, lost.signal]);
    let bytes = 0;
    const telling = setInterval(() => {
      this.work
        .single((db) => this.verifications.progress(db, row, token, bytes))
        .then((ours) => {
          if (!ours) lost.abort(new LiftlockError('fenced', 'another one reads it, or it is gone'));
        })
        // the lease outlives a database that is away for a moment
        .catch((error: unknown) => this.logger.warn(`${row.location}: ${String(error)}`));
    }, PROGRESS_MS);
    try {
      const problem = await this.problemOf(row, signal, async (more) => {
        bytes += more;
        await pace(more, signal);
      });
      if (problem !== undefined) this.logger.error(`${row.location} is corrupt: ${problem}`);
      await this.work.run(async (tx) => {
        const ours = await this.verifications.finish(tx, row, token, bytes, problem);
        // what is known to be damaged is told once
        if (ours && problem !== undefined && row.verify_problem === null)
          await this.outbox.add(tx, damageReport(row, this.options.site, problem));
      });
    } catch (error) {
      this.logger.warn(`reading ${row.location} back was given up: ${String(error)}`);
      await this.work
        .run((tx) => this.verifications.giveUp(tx, row, token))
        // then its lease ends by itself
        .catch(() => undefined);
    } finally {
      clearInterval(telling);
    }
  }

  /** @throws what says nothing about the backup: the store is away, the service ends, the record is another's by now */
  private async problemOf(
    row: BackupRow,
    signal: AbortSignal,
    onBytes: (more: number) => Promise<void>,
  ): Promise<string | undefined> {
    try {
      // its entries are not kept meanwhile
      const { archive } = await this.catalogue.manifestOf(row);
      // what is encrypted is compared as it lies there: it was decrypted once, before it counted
      await this.catalogue.folderOf(row).verifyArchive({ archive }, signal, onBytes);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      const known = LiftlockError.from(error);
      // a store that is away says nothing about what is on it
      if (known.code !== 'data_corrupt') throw error;
      return known.message;
    }
  }
}

/** For the coordinator, which tells of it. */
function damageReport(row: BackupRow, site: string, problem: string): OutboxMessage {
  const name = 'backup-found-damaged';
  const { environment, application, upgrade: set, backup, instance, location } = row;
  const data: CommandData<typeof name> = {
    ...{ environment, application, set, backup, instance, location, site, problem },
  };
  const id = systemIds.next('msg');
  const envelope: CommandEnvelope = {
    ...{ id, name, version: COMMANDS[name].version, at: new Date().toISOString() },
    ...{ from: 'backup', data },
  };
  return { id, subject: commandSubject(name, 'coordinator'), payload: JSON.stringify(envelope) };
}
