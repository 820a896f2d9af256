import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { LiftlockError, type Clock } from '#kernel';
import type { EventData, EventType, HistoryEvent } from '#contracts';
import type { UpgradeRecord } from './domain/upgrade-view.js';
import { UpgradeStore } from './persistence/upgrade.store.js';
import { SagaOutput } from './saga-output.js';
import { CLOCK } from './tokens.js';

/** What happened to an upgrade from outside of its saga. */
@Injectable()
export class UpgradeNews {
  constructor(
    private readonly upgrades: UpgradeStore,
    private readonly output: SagaOutput,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * A line of history and no transition: an upgrade that has ended keeps its end.
   * @returns false where there is no such upgrade
   */
  async tell<T extends EventType>(
    tx: EntityManager,
    upgrade: string,
    type: T,
    data: EventData<T>,
  ): Promise<boolean> {
    const before = await this.recordOf(tx, upgrade);
    if (before === undefined) return false;
    const now = this.clock.now();
    const event: HistoryEvent = {
      upgrade: before.id,
      sequence: before.lastSequence + 1,
      type,
      at: now.toISOString(),
      data: { ...data },
    };
    const record = {
      ...before,
      version: before.version + 1,
      lastSequence: event.sequence,
      updatedAt: now,
    };
    await this.upgrades.compareAndSet(tx, before, record);
    await this.output.history(tx, record, [event]);
    return true;
  }

  private async recordOf(tx: EntityManager, upgrade: string): Promise<UpgradeRecord | undefined> {
    try {
      return await this.upgrades.getForUpdate(tx, upgrade);
    } catch (error) {
      if (error instanceof LiftlockError && error.code === 'not_found') return undefined;
      throw error;
    }
  }
}
