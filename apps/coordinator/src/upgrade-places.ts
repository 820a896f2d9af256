import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { digestOf, LiftlockError, type IdSource } from '#kernel';
import type { QueryData } from '#contracts';
import { newSaga } from '#saga';
import type { UpgradeRecord } from './domain/upgrade-view.js';
import { IdempotencyStore } from './persistence/idempotency.store.js';
import { holderText, LockStore } from './persistence/lock.store.js';
import { IDS } from './tokens.js';

/** Whether and where a new upgrade may be. */
@Injectable()
export class UpgradePlaces {
  constructor(
    private readonly locks: LockStore,
    private readonly keys: IdempotencyStore,
    @Inject(IDS) private readonly ids: IdSource,
  ) {}

  async known(tx: EntityManager, asked: QueryData<'create-upgrade'>): Promise<string | undefined> {
    if (asked.idempotencyKey === undefined) return undefined;
    const found = await this.keys.find(tx, asked.actor, asked.idempotencyKey);
    if (found === undefined) return undefined;
    if (found.requestDigest !== digestOf(asked.request)) {
      throw new LiftlockError(
        'idempotency_mismatch',
        `the Idempotency-Key ${asked.idempotencyKey} belongs to another request (upgrade ${found.upgrade}): take a new key`,
      );
    }
    return found.upgrade;
  }

  async remember(
    tx: EntityManager,
    asked: QueryData<'create-upgrade'>,
    upgrade: string,
    now: Date,
  ): Promise<void> {
    if (asked.idempotencyKey === undefined) return;
    await this.keys.save(
      tx,
      asked.actor,
      asked.idempotencyKey,
      digestOf(asked.request),
      upgrade,
      now,
    );
  }

  async assertFree(tx: EntityManager, environment: string, application: string): Promise<void> {
    const holder = await this.locks.holderOf(tx, environment, application);
    if (holder === undefined) return;
    throw new LiftlockError(
      'lock_held',
      `${application} in ${environment} is held by ${holderText(holder)}: wait until it has ended, or cancel it`,
      { details: { upgrade: holder } },
    );
  }

  newRecord(asked: QueryData<'create-upgrade'>, now: Date): UpgradeRecord {
    const { request } = asked;
    return {
      id: this.ids.next('upg'),
      environment: request.environment,
      application: request.application,
      release: request.release,
      version: 1,
      saga: newSaga(),
      request,
      requestedBy: asked.actor,
      planDigest: undefined,
      planShape: undefined,
      message: undefined,
      lastSequence: 1,
      createdAt: now,
      updatedAt: now,
      endedAt: undefined,
    };
  }
}
