import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { LiftlockError, type Clock } from '#kernel';
import {
  commandSubject,
  type Plan,
  type QueryData,
  type QueryReply,
  type UpgradeView,
} from '#contracts';
import { UnitOfWork } from '#persistence';
import { decisionOf } from './domain/decision-of.js';
import { assertContinuable } from './domain/continuation.js';
import { viewOf, type UpgradeRecord } from './domain/upgrade-view.js';
import { PlanCache } from './persistence/plan.cache.js';
import { UpgradeStore } from './persistence/upgrade.store.js';
import { SagaOutput } from './saga-output.js';
import { SagaService } from './saga.service.js';
import { CLOCK } from './tokens.js';
import { UpgradePlaces } from './upgrade-places.js';

/** What people and programs ask: a new upgrade, what became of it, and their decisions. */
@Injectable()
export class UpgradeService {
  constructor(
    private readonly work: UnitOfWork,
    private readonly upgrades: UpgradeStore,
    private readonly plans: PlanCache,
    private readonly places: UpgradePlaces,
    private readonly output: SagaOutput,
    private readonly saga: SagaService,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * The same key with the same request gives the same upgrade, however often and however fast.
   * @throws LiftlockError `idempotency_mismatch`, or `lock_held` naming the upgrade that holds an instance of the application.
   */
  async create(asked: QueryData<'create-upgrade'>): Promise<QueryReply<'create-upgrade'>> {
    const { request, actor, role } = asked;
    return this.work.run(async (tx) => {
      const known = await this.places.known(tx, asked);
      if (known !== undefined)
        return { upgrade: await this.view(tx, await this.upgrades.get(tx, known)), created: false };
      if (request.continues !== undefined)
        assertContinuable(await this.upgrades.get(tx, request.continues), request);
      await this.places.assertFree(tx, request.environment, request.application);
      const now = this.clock.now();
      const record = this.places.newRecord(asked, now);
      await this.upgrades.insert(tx, record);
      await this.places.remember(tx, asked, record.id, now);
      await this.output.history(tx, record, [
        {
          upgrade: record.id,
          sequence: 1,
          type: 'upgrade-created',
          at: now.toISOString(),
          data: {
            environment: request.environment,
            application: request.application,
            release: request.release,
            actor,
            ...(request.continues === undefined ? {} : { continues: request.continues }),
            ...(request.emergency === undefined
              ? {}
              : { emergency: { ...request.emergency, ...(role === undefined ? {} : { role }) } }),
          },
        },
      ]);
      await this.output.send(
        tx,
        record.id,
        [
          {
            key: 'plan',
            token: 1,
            name: 'compute-plan',
            subject: commandSubject('compute-plan', 'planner'),
            data: { upgrade: record.id, request },
          },
        ],
        now,
      );
      return { upgrade: viewOf(record, undefined), created: true };
    });
  }

  async get(id: string): Promise<UpgradeView> {
    return this.work.single(async (db) => this.view(db, await this.upgrades.get(db, id)));
  }

  async list(asked: QueryData<'list-upgrades'>): Promise<QueryReply<'list-upgrades'>> {
    return this.work.run(async (tx) => {
      const records = await this.upgrades.list(tx, { ...asked, limit: asked.limit + 1 });
      const page = records.slice(0, asked.limit);
      const items: UpgradeView[] = [];
      for (const record of page) items.push(await this.view(tx, record));
      const last = page.at(-1);
      return records.length > page.length && last !== undefined
        ? { items, nextCursor: last.id }
        : { items };
    });
  }

  async events(asked: QueryData<'list-events'>): Promise<QueryReply<'list-events'>> {
    return this.work.single((db) =>
      this.upgrades.eventsAfter(db, asked.id, asked.after, asked.limit),
    );
  }

  /** @throws LiftlockError `conflict` saying why not now, and what can be done instead. */
  async act(asked: QueryData<'act-on-upgrade'>): Promise<UpgradeView> {
    const applied = await this.saga.apply(asked.id, (record, now) =>
      decisionOf(asked, record, now),
    );
    if (applied === undefined)
      throw new LiftlockError('internal', `upgrade ${asked.id}: nothing was applied`);
    if (applied.refused !== undefined) {
      throw new LiftlockError(
        applied.refused.code,
        `${asked.action} of ${asked.id}: ${applied.refused.message}`,
        {
          details: { state: applied.record.saga.state },
        },
      );
    }
    return viewOf(applied.record, applied.plan);
  }

  private async view(tx: EntityManager, record: UpgradeRecord): Promise<UpgradeView> {
    const plan: Plan | undefined =
      record.planDigest === undefined ? undefined : await this.plans.get(tx, record.planDigest);
    return viewOf(record, plan);
  }
}
