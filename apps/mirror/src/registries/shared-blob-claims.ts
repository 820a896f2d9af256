import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { EntityManager } from 'typeorm';
import { LiftlockError } from '#kernel';
import type { BlobClaim, BlobClaims, WantedBlob } from '#oci';
import type { UnitOfWork } from '#persistence';
import type { BlobClaimStore } from '../persistence/blob-claim.store.js';

/** Milliseconds between two looks at a claim of another replica. */
const LOOK_MS = 250;
/** Milliseconds between two times that old claims are thrown away. */
const FORGET_MS = 600_000;

/**
 * Claims of blobs, shared by all replicas of this service through PostgreSQL. A claim is a lease that is renewed while its blob is written: a
 * dead replica's ends. No transaction is open meanwhile. Where PostgreSQL does not answer, blobs are written unclaimed, at worst twice.
 */
export class SharedBlobClaims implements BlobClaims {
  private readonly logger = new Logger(SharedBlobClaims.name);
  /** Ours, by owner: each claim has its own. */
  private readonly held = new Set<string>();
  private renewing: NodeJS.Timeout | undefined;
  private forgotAt = -Infinity;

  /** @param leaseMs milliseconds */
  constructor(
    private readonly work: Pick<UnitOfWork, 'single'>,
    private readonly store: BlobClaimStore,
    private readonly leaseMs: number,
  ) {}

  async take(blob: WantedBlob): Promise<BlobClaim | undefined> {
    const owner = randomUUID();
    const taken = await this.ask(
      (db) => this.store.take(db, blob, owner, this.leaseMs),
      () => ({ lately: undefined }),
    );
    if (taken === undefined) return undefined;
    this.hold(owner);
    return { lately: taken.lately, release: () => this.release(blob, owner) };
  }

  async untilFree(blob: WantedBlob, signal: AbortSignal): Promise<void> {
    const isHeld = (): Promise<boolean> =>
      this.ask(
        (db) => this.store.isHeld(db, blob),
        () => false,
      );
    do await delay(LOOK_MS, undefined, { signal });
    while (await isHeld());
  }

  private async release(blob: WantedBlob, owner: string): Promise<void> {
    this.held.delete(owner);
    if (this.held.size === 0) {
      clearInterval(this.renewing);
      this.renewing = undefined;
    }
    // else the lease ends
    await this.ask(
      (db) => this.store.release(db, blob, owner),
      () => undefined,
    );
  }

  private hold(owner: string): void {
    this.held.add(owner);
    this.renewing ??= setInterval(() => void this.renew(), this.leaseMs / 3).unref();
    const now = performance.now();
    if (now - this.forgotAt < FORGET_MS) return;
    this.forgotAt = now;
    void this.ask(
      (db) => this.store.forget(db),
      () => undefined,
    );
  }

  private renew(): Promise<void> {
    return this.ask(
      (db) => this.store.renew(db, [...this.held], this.leaseMs),
      () => undefined,
    );
  }

  private async ask<T>(what: (db: EntityManager) => Promise<T>, otherwise: () => T): Promise<T> {
    try {
      return await this.work.single(what);
    } catch (error) {
      const { message } = LiftlockError.from(error);
      this.logger.warn(
        `other replicas may send the same blobs at the same time, since their claims cannot be asked about: ${message}`,
      );
      return otherwise();
    }
  }
}
