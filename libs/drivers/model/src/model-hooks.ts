import type { ActionInput, ActionOutput } from '#contracts';
import type { HookDriver, StepContext } from '#drivers/core';
import type { Decision, EffectWriter } from './effects.js';

type Output = ActionOutput<'hook.command'>;

/** Hooks of a model target leave their line in the ledger, and nothing else. */
export class ModelHooks {
  constructor(private readonly effects: EffectWriter) {}

  async run(
    context: StepContext,
    action: 'hook.command' | 'hook.job' | 'hook.edit',
    { container }: ActionInput<'hook.command' | 'hook.job' | 'hook.edit'>,
  ): Promise<Output> {
    await this.effects.obey(context, action, container, 'before');
    const output = await this.effects.make(context, container, (): Decision<Output> => {
      return { effect: 'hook-done', apply: () => ({ found: 'done_now', exitCode: 0, said: [] }) };
    });
    await this.effects.obey(context, action, container, 'after');
    return output;
  }

  async removeJobs(
    context: StepContext,
    { container }: Parameters<HookDriver['removeJobs']>[1],
  ): Promise<Output> {
    return this.leaveNothing(context, 'hook.remove-jobs', container);
  }

  async forgetEdits(
    context: StepContext,
    { container }: Parameters<HookDriver['forgetEdits']>[1],
  ): Promise<Output> {
    return this.leaveNothing(context, 'hook.forget-edits', container);
  }

  private async leaveNothing(
    context: StepContext,
    action: 'hook.remove-jobs' | 'hook.forget-edits',
    container: string,
  ): Promise<Output> {
    await this.effects.obey(context, action, container, 'before');
    return { found: 'nothing_to_do', said: [] };
  }
}
