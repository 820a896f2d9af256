import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { ErrorShape } from '#kernel';
import { isRestOf, shapeDigestOf, shapeOf, type Plan } from '#contracts';
import {
  promotionOf,
  versionsBehind,
  type Earlier,
  type EarlierUpgrade,
  type PromotionNow,
} from './domain/promotion.js';
import { PlanCache } from './persistence/plan.cache.js';
import { PromotionStore } from './persistence/promotion.store.js';
import { UpgradeStore } from './persistence/upgrade.store.js';

/** Whether the same as a plan does has succeeded where its environment wants it to have. */
@Injectable()
export class PromotionService {
  constructor(
    private readonly earlier: PromotionStore,
    private readonly plans: PlanCache,
    private readonly upgrades: UpgradeStore,
  ) {}

  /**
   * Digest of what an upgrade does, to be found by in other environments. What only does the rest of another upgrade counts as
   * the whole of it: the two together do what the other one was to do.
   * @param continues the upgrade that it continues
   */
  async shapeOf(tx: EntityManager, plan: Plan, continues: string | undefined): Promise<string> {
    const before = continues === undefined ? undefined : await this.upgrades.get(tx, continues);
    if (before?.planDigest === undefined || before.planShape === undefined)
      return shapeDigestOf(plan);
    const whole = shapeOf(await this.plans.get(tx, before.planDigest));
    return isRestOf(shapeOf(plan), whole) ? before.planShape : shapeDigestOf(plan);
  }

  /**
   * @param upgrade that is to do what the plan says: its shape where it is known already, and what it continues
   * @returns nothing where the plan asks for nothing of it.
   */
  async look(
    tx: EntityManager,
    plan: Plan,
    upgrade: { readonly shape?: string | undefined; readonly continues?: string | undefined },
    now: Date,
  ): Promise<PromotionNow | undefined> {
    const wanted = plan.startConditions?.promotion;
    if (wanted === undefined) return undefined;
    const { from } = wanted;
    const shape = upgrade.shape ?? (await this.shapeOf(tx, plan, upgrade.continues));
    const last = await this.earlier.lastOfShape(tx, from, shape);
    const found: Earlier =
      last === undefined
        ? { last, nearest: await this.nearest(tx, from, plan) }
        : { last, wentBack: await this.wentBack(tx, from, plan, last) };
    return promotionOf(plan, wanted, found, now);
  }

  /** By which upgrade the environment left again what a success had brought it to. */
  private async wentBack(
    tx: EntityManager,
    from: string,
    { application }: Plan,
    { id, planDigest, endedAt }: EarlierUpgrade,
  ): Promise<EarlierUpgrade | undefined> {
    if (planDigest === undefined || endedAt === undefined) return undefined;
    const behind = versionsBehind(await this.plans.get(tx, planDigest));
    return this.earlier.broughtTo(tx, from, application, behind, { id, endedAt });
  }

  private async nearest(
    tx: EntityManager,
    from: string,
    { application, release }: Plan,
  ): Promise<Earlier['nearest']> {
    const upgrade = await this.earlier.nearest(tx, from, application, release);
    if (upgrade?.planDigest === undefined) return undefined;
    return { upgrade, plan: await this.plans.get(tx, upgrade.planDigest) };
  }
}

/** What ends an upgrade that is not to begin: nothing was touched. */
export function refusalOf(found: PromotionNow | undefined): ErrorShape | undefined {
  return found?.outcome === 'missing'
    ? { code: 'conflict', message: found.message, retryable: false }
    : undefined;
}
