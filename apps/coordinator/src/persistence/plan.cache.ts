import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Plan } from '#contracts';
import { UpgradeStore } from './upgrade.store.js';

const MOST = 64;

/** Plans never change, so that one that was read is right for ever; the least used go first. */
@Injectable()
export class PlanCache {
  private readonly plans = new Map<string, Plan>();

  constructor(private readonly upgrades: UpgradeStore) {}

  async get(tx: EntityManager, digest: string): Promise<Plan> {
    const known = this.plans.get(digest);
    const plan = known ?? (await this.upgrades.plan(tx, digest));
    this.plans.delete(digest);
    this.plans.set(digest, plan);
    const oldest = this.plans.keys().next();
    if (this.plans.size > MOST && oldest.done !== true) this.plans.delete(oldest.value);
    return plan;
  }
}
