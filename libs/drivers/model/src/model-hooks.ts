import type { ActionInput, ActionOutput } from '#contracts';
import type { HookDriver, StepContext } from '#drivers/core';
import type { Decision, EffectWriter } from './effects.js';

type Output = ActionOutput<'hook.command'>;

/** Hooks of a model target leave their line in the ledger, and nothing else. */
export class ModelHooks {
  constructor(private readonly effects: EffectWriter) {}

  async run(
    context: StepContext,
    action: 'hook.command' | 'hook.job',
    { container }: ActionInput<'hook.command'> | ActionInput<'hook.job'>,
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
    await this.effects.obey(context, 'hook.remove-jobs', container, 'before');
    return { found: 'nothing_to_do', said: [] };
  }
}
