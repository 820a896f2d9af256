import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Outbox } from '#persistence';
import { Answers } from './answers.js';
import { ClaimStore, type Claim, type StoredResult } from './claim.store.js';

/** Says that nothing runs any more of a step that was called back. */
@Injectable()
export class Revocations {
  constructor(
    private readonly claims: ClaimStore,
    private readonly answers: Answers,
    private readonly outbox: Outbox,
  ) {}

  async grant(tx: EntityManager, claim: Claim): Promise<void> {
    await this.claims.markRevoked(tx, claim);
    await this.outbox.add(tx, this.answers.finished(claim, resultOf(claim)));
  }

  /** The coordinator has asked once more. */
  async repeat(tx: EntityManager, claim: Claim): Promise<void> {
    await this.outbox.add(tx, this.answers.finishedAgain(claim, resultOf(claim)));
  }
}

function resultOf(claim: Claim): StoredResult {
  return {
    result: { outcome: 'revoked', began: claim.began },
    attempt: claim.command.attempt,
    endedAt: new Date().toISOString(),
  };
}
