import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { assertNever, LiftlockError } from '#kernel';
import { Outbox, UnitOfWork } from '#persistence';
import { Answers } from './answers.js';
import { ClaimStore } from './claim.store.js';
import { keyText, STEP_QUEUE, type RunStep, type StepQueue } from './options.js';
import { Revocations } from './revocations.js';
import { Runner } from './runner.js';

/** What becomes of a command for a step: the claim's row is held meanwhile, so that two deliveries are handled one after another. */
@Injectable()
export class Receiver {
  constructor(
    private readonly work: UnitOfWork,
    private readonly claims: ClaimStore,
    private readonly answers: Answers,
    private readonly revocations: Revocations,
    private readonly outbox: Outbox,
    private readonly runner: Runner,
    @Inject(STEP_QUEUE) private readonly queue: StepQueue,
  ) {}

  async run(command: RunStep): Promise<void> {
    // nearly always it is the first that is heard of the step: one statement
    const enqueue =
      (await this.work.single((db) => this.claims.insert(db, command, 'accepted'))) ||
      (await this.heardAgain(command));
    this.runner.fence(command.upgrade, command.stepId, command.token);
    if (enqueue) await this.queue.enqueue(keyText(command));
  }

  /** @returns whether there is something to run now. */
  private heardAgain(command: RunStep): Promise<boolean> {
    return this.work.run(async (tx) => {
      const claim = await this.claims.getForUpdate(tx, command.upgrade, command.stepId);
      if (claim === undefined)
        throw new LiftlockError('internal', `${keyText(command)}: its claim is gone`);
      if (claim.token > command.token) return false;
      if (claim.token < command.token) {
        await this.claims.takeOver(tx, command, 'accepted');
        return true;
      }
      switch (claim.state) {
        case 'accepted':
          return true;
        case 'finished':
          if (claim.result !== undefined)
            await this.outbox.add(tx, this.answers.finishedAgain(claim, claim.result));
          return false;
        case 'running':
        case 'revoking':
        case 'revoked':
          return false;
        default:
          return assertNever(claim.state, 'claim state');
      }
    });
  }

  /** @param command the step's command, under the token of the revocation */
  async revoke(command: RunStep): Promise<void> {
    await this.work.run(async (tx) => {
      const before = await this.claims.getForUpdate(tx, command.upgrade, command.stepId);
      if (before === undefined) {
        await this.insertRevoked(tx, command);
        const inserted = await this.claims.getForUpdate(tx, command.upgrade, command.stepId);
        if (inserted !== undefined) await this.revocations.grant(tx, inserted);
        return;
      }
      if (before.token > command.token) return;
      if (before.token === command.token) {
        if (before.state === 'revoked') await this.revocations.repeat(tx, before);
        return;
      }
      await this.claims.takeOver(tx, command, 'revoking');
      // while somebody may be at work it waits: for him to stop, or for his lease to end
      if (before.busy) return;
      // an owner that is gone may have changed something
      const began = before.began || before.busyOwner !== undefined;
      await this.revocations.grant(tx, {
        ...before,
        token: command.token,
        command,
        began,
      });
    });
    this.runner.fence(command.upgrade, command.stepId, command.token);
  }

  /** Another command may be the first one in the same moment: then the transaction is run again, and finds its claim. */
  private async insertRevoked(tx: EntityManager, command: RunStep): Promise<void> {
    if (await this.claims.insert(tx, command, 'revoked')) return;
    throw new LiftlockError('conflict', `${keyText(command)}: another command came first`, {
      retryable: true,
    });
  }
}
