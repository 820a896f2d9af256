import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Clock, IdSource } from '#kernel';
import { commandSubject, type CommandData, type CommandEnvelope } from '#contracts';
import { Inbox, Outbox } from '#persistence';
import type { PlanningResult } from './persistence/plan.store.js';
import { CLOCK, IDS } from './tokens.js';

/** Sends the coordinator what became of its question. */
@Injectable()
export class PlanningAnswers {
  constructor(
    private readonly outbox: Outbox,
    private readonly inbox: Inbox,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(IDS) private readonly ids: IdSource,
  ) {}

  /** In the transaction that stores the result; a question that was answered before under the same message id is not again. */
  async send(
    tx: EntityManager,
    upgrade: string,
    result: PlanningResult,
    question: CommandEnvelope,
  ): Promise<void> {
    if (!(await this.inbox.accept(tx, question.id, 'planner'))) return;
    const data: CommandData<'plan-computed'> = { upgrade, result };
    const envelope: CommandEnvelope = {
      id: this.ids.next('msg'),
      name: 'plan-computed',
      version: 1,
      at: this.clock.now().toISOString(),
      from: 'planner',
      data,
    };
    await this.outbox.add(tx, {
      subject: commandSubject('plan-computed', 'coordinator'),
      id: envelope.id,
      payload: JSON.stringify(envelope),
    });
  }
}
