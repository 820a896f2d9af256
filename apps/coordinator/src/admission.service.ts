import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Plan } from '#contracts';
import type { SagaMessage } from '#saga';
import { openingOf, type FreezesNow } from './domain/plan-opening.js';
import type { UpgradeRecord } from './domain/upgrade-view.js';
import { insistOnFreezes } from './freeze-aware.work.js';
import { holderText, LockStore } from './persistence/lock.store.js';
import { TimerStore } from './persistence/timer.store.js';
import { PromotionService, refusalOf } from './promotion.service.js';

/** How long a target that is full is waited for, before it is asked again. */
const ASK_AGAIN_MS = 2_000;
const DEFAULT_MAX_UPGRADES = 4;

/** Whether a planned upgrade may begin now: its time has come, it was promoted, a window is open, its targets have room, nobody holds its instances. */
@Injectable()
export class AdmissionService {
  constructor(
    private readonly locks: LockStore,
    private readonly timers: TimerStore,
    private readonly promotions: PromotionService,
  ) {}

  /**
   * @param freezes that the environment's document has now, where somebody has asked.
   * @returns the engine's message, or nothing when it has to wait: then a timer asks again.
   */
  async ask(
    tx: EntityManager,
    record: UpgradeRecord,
    plan: Plan,
    now: Date,
    freezes: FreezesNow | undefined,
  ): Promise<SagaMessage | undefined> {
    const { notBefore, continues } = record.request;
    if (notBefore !== undefined && new Date(notBefore) > now) {
      await this.timers.set(tx, record.id, [
        { dueAt: new Date(notBefore), message: { type: 'admit-again' } },
      ]);
      return undefined;
    }
    // once more: what succeeded there when it was planned may have been rolled back since
    const upgrade = { shape: record.planShape, continues };
    const promotion = await this.promotions.look(tx, plan, upgrade, now);
    const refused = refusalOf(promotion);
    if (refused !== undefined) return { type: 'admission-refused', error: refused };
    if (promotion?.outcome === 'waits') {
      const { until: dueAt, message } = promotion;
      await this.timers.set(tx, record.id, [{ dueAt, message: { type: 'admit-again' } }]);
      return { type: 'admission-postponed', until: dueAt.toISOString(), message };
    }
    const opening = openingOf(plan, insistOnFreezes(plan, freezes), now);
    if (!opening.open) {
      const { until, lookAt: dueAt, message } = opening;
      await this.timers.set(tx, record.id, [{ dueAt, message: { type: 'admit-again' } }]);
      return { type: 'admission-postponed', until: until.toISOString(), message };
    }
    const names = plan.targets.map(({ name }) => name);
    await this.locks.queueFor(tx, record.environment, names);
    for (const target of plan.targets) {
      const others = await this.locks.upgradesOn(tx, record.environment, target.name, record.id);
      if (others >= (target.maxUpgrades ?? DEFAULT_MAX_UPGRADES)) {
        const dueAt = new Date(now.getTime() + ASK_AGAIN_MS);
        await this.timers.set(tx, record.id, [{ dueAt, message: { type: 'admit-again' } }]);
        return undefined;
      }
    }
    const lanes = plan.hops.flatMap((hop) => hop.waves.flatMap((wave) => wave.lanes));
    const instances = [
      ...new Map(lanes.map(({ instance, target }) => [instance, { instance, target }])).values(),
    ];
    const held = await this.locks.acquire(tx, record, instances);
    if (held === undefined) return { type: 'admitted' };
    return {
      type: 'admission-refused',
      error: {
        code: 'lock_held',
        message: `${held.instance} is held by ${holderText(held.upgrade)}: wait until it has ended, or cancel it`,
        retryable: false,
        details: { instance: held.instance, upgrade: held.upgrade },
      },
    };
  }
}
