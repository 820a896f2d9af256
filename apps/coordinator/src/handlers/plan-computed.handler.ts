import { assertNever } from '#kernel';
import type { CommandData, CommandEnvelope } from '#contracts';
import { CommandHandlerFor, type CommandHandler } from '#bus';
import { Inbox } from '#persistence';
import { PlanReader } from '../plan.reader.js';
import { DispatchStore } from '../persistence/dispatch.store.js';
import { SagaService } from '../saga.service.js';
import type { EntityManager } from 'typeorm';

@CommandHandlerFor('plan-computed')
export class PlanComputedHandler implements CommandHandler<'plan-computed'> {
  constructor(
    private readonly saga: SagaService,
    private readonly reader: PlanReader,
    private readonly inbox: Inbox,
    private readonly dispatches: DispatchStore,
  ) {}

  async handle(data: CommandData<'plan-computed'>, envelope: CommandEnvelope): Promise<void> {
    const { upgrade, result } = data;
    const once = async (tx: EntityManager): Promise<boolean> => {
      if (!(await this.inbox.accept(tx, envelope.id, 'coordinator'))) return false;
      await this.dispatches.answered(tx, upgrade, 'plan', 1);
      return true;
    };
    switch (result.outcome) {
      case 'planned':
        await this.saga.applyPlan(
          upgrade,
          result.digest,
          await this.reader.read(result.digest),
          once,
        );
        return;
      case 'refused':
        await this.saga.apply(upgrade, { type: 'plan-refused', error: result.error }, once);
        return;
      default:
        assertNever(result, 'outcome');
    }
  }
}
