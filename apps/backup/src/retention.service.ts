import { Inject, Injectable } from '@nestjs/common';
import { QueryClient } from '#bus';
import {
  MOST_UPGRADES_ASKED,
  upgradeId,
  type BackupKeyData,
  type JudgedBackup,
  type ListedBackup,
  type QueryData,
  type QueryReply,
} from '#contracts';
import { LiftlockError, type Clock } from '#kernel';
import { UnitOfWork } from '#persistence';
import { CatalogueService } from './catalogue.service.js';
import { judge, type Candidate } from './domain/retention.js';
import { BackupStore } from './persistence/backup.store.js';
import { CLOCK } from './tokens.js';

interface Known extends Candidate {
  readonly listed: ListedBackup;
}

/** Which backups may go, and their end. What cannot be found out is an error: nothing may go by default. */
@Injectable()
export class RetentionService {
  constructor(
    private readonly work: UnitOfWork,
    private readonly backups: BackupStore,
    private readonly catalogue: CatalogueService,
    private readonly queries: QueryClient,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** What retention would take and leave: nothing is deleted. @throws LiftlockError `invalid_request` without a rule */
  async prunable(asked: QueryData<'prunable-backups'>): Promise<QueryReply<'prunable-backups'>> {
    const { environment, application, limit, ...rules } = asked;
    if (Object.values(rules).every((rule) => rule === undefined)) {
      throw new LiftlockError(
        'invalid_request',
        'say what is to be kept: the last so many (keepLast), those of so many days (keepDays), or one for each of the last so many releases (keepReleases)',
      );
    }
    await this.catalogue.refresh();
    const rows = await this.work.single((db) =>
      this.backups.list(db, { environment, application }),
    );
    const listed = await Promise.all(rows.map((row) => this.catalogue.look(row)));
    const judged = judge(await this.know(listed), rules, this.clock.now());
    const asReply = ({ candidate, because }: (typeof judged)[number]): JudgedBackup => ({
      ...candidate.listed,
      ...(candidate.release === undefined ? {} : { release: candidate.release }),
      because,
    });
    const goes = judged.filter(({ keep }) => !keep);
    const stays = judged.filter(({ keep }) => keep);
    return {
      items: goes.toReversed().slice(0, limit).map(asReply),
      kept: stays.slice(0, limit).map(asReply),
      totals: {
        items: goes.length,
        kept: stays.length,
        archiveBytes: goes.reduce(
          (sum, { candidate }) =>
            sum + (candidate.state === 'missing' ? 0 : candidate.listed.archiveBytes),
          0,
        ),
      },
    };
  }

  /**
   * Deletes one, folder and record. All is looked at again: what was asked before may not hold any more.
   * @throws LiftlockError `not_found`; `conflict` when a rollback may need it, or it is the last good one of its instance
   */
  async delete(key: BackupKeyData): Promise<ListedBackup> {
    const row = await this.catalogue.find(key);
    const { environment, application, instance } = row;
    const { listed, deleteFiles } = await this.work.run(async (tx) => {
      await this.backups.lockInstance(tx, row);
      const rows = await this.backups.list(tx, { environment, application, instance });
      const looked = await Promise.all(rows.map((one) => this.catalogue.look(one)));
      const known = await this.know(looked);
      // by no rule at all: what stays now stays whatever the rules are
      const found = judge(known, {}, this.clock.now()).find(
        ({ candidate }) =>
          candidate.listed.upgrade === key.upgrade && candidate.listed.backup === key.backup,
      );
      if (found === undefined)
        throw new LiftlockError('not_found', `the backup ${key.backup} is gone by now`);
      if (found.keep)
        throw new LiftlockError('conflict', `${row.location} stays: ${found.because}`, {
          details: { ...key },
        });
      await this.backups.remove(tx, row);
      const { listed: judged } = found.candidate;
      // judged as missing, it must not go when its store is back by now: the next walk lists it
      if (judged.present === false) return { listed: judged, deleteFiles: undefined };
      const folder = this.catalogue.folderOf(row);
      return { listed: judged, deleteFiles: await folder.takeOut(row.restic_snapshot) };
    });
    // it is out of the repository by now: what is left of it after a crash is swept
    await deleteFiles?.();
    return listed;
  }

  /** With what became of the upgrades that they were made for. */
  private async know(newestFirst: readonly ListedBackup[]): Promise<Known[]> {
    const upgrades = [...new Set(newestFirst.map(({ upgrade }) => upgrade))].filter(isUpgrade);
    const ends = new Map<string, { readonly release: string; readonly ended: boolean }>();
    for (let first = 0; first < upgrades.length; first += MOST_UPGRADES_ASKED) {
      const some = upgrades.slice(first, first + MOST_UPGRADES_ASKED);
      const { items } = await this.queries.ask('ends-of-upgrades', { upgrades: some });
      for (const { upgrade, release, ended } of items) ends.set(upgrade, { release, ended });
    }
    return newestFirst.map((listed): Known => {
      const end = ends.get(listed.upgrade);
      const state = stateOf(listed);
      return {
        listed,
        instance: `${listed.environment}/${listed.application}/${listed.instance}`,
        createdAt: listed.createdAt,
        state,
        fuzzy: listed.fuzzy !== undefined,
        heldBecause: heldBecause(listed, state, end),
        release: end?.release,
      };
    });
  }
}

/** Else it was asked for by itself, and no rollback is about it. */
function isUpgrade(id: string): boolean {
  return upgradeId.safeParse(id).success;
}

function stateOf({ present, verification }: ListedBackup): Candidate['state'] {
  if (present === false) return 'missing';
  // also while it is read once more, or when nobody read it to its end
  return verification?.problem === undefined ? 'whole' : 'corrupt';
}

function heldBecause(
  { upgrade, incompleteSince }: ListedBackup,
  state: Candidate['state'],
  end: { readonly ended: boolean } | undefined,
): string | undefined {
  if (incompleteSince !== undefined)
    return `a restore from it began at ${incompleteSince} and has not ended`;
  if (!isUpgrade(upgrade)) return undefined;
  if (end?.ended === false) return `upgrade ${upgrade} has not ended: its rollback may need it`;
  if (end === undefined && state !== 'missing')
    return `no upgrade ${upgrade} is known, so that nobody can tell whether it is needed: if you can, remove its folder by hand`;
  return undefined;
}
