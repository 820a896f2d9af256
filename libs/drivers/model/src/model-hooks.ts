import type { ActionInput, ActionOutput } from '#contracts';
import type { HookDriver, StepContext } from '#drivers/core';
import type { Decision, EffectWriter } from './effects.js';
import { HISTORY_FILE, jobMark, mtimeOf, type ModelWorld } from './world.js';

type Output = ActionOutput<'hook.command'>;

/** Hooks of a model target leave their line in the ledger, and a job that has the data of what is down leaves its mark there. */
export class ModelHooks {
  constructor(private readonly effects: EffectWriter) {}

  async run(
    context: StepContext,
    action: 'hook.command' | 'hook.job' | 'hook.edit',
    { container, work }: ActionInput<'hook.command' | 'hook.job' | 'hook.edit'>,
  ): Promise<Output> {
    await this.effects.obey(context, action, container, 'before');
    const output = await this.effects.make(context, container, (world): Decision<Output> => {
      // a job is found again; what else runs twice is a violation
      if (work.type === 'job' && wasDone(world, context))
        return { done: { found: 'done_before', exitCode: 0, said: [] } };
      return {
        effect: 'hook-done',
        apply: (at) => {
          if (work.type === 'job' && work.volumesFrom)
            writeWhileDown(world, container, context, at);
          return { found: 'done_now', exitCode: 0, said: [] };
        },
      };
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
    await this.effects.obey(context, action, container, 'after');
    return { found: 'nothing_to_do', said: [] };
  }
}

function wasDone({ ledger }: ModelWorld, { upgrade, stepId }: StepContext): boolean {
  return ledger.some(
    (line) =>
      'effect' in line &&
      line.effect === 'hook-done' &&
      line.upgrade === upgrade &&
      line.stepId === stepId,
  );
}

/** Whoever starts on the data without a restore then, and is not the new version, is found out. */
function writeWhileDown(world: ModelWorld, name: string, { stepId }: StepContext, at: Date): void {
  const container = world.containers[name];
  const volume = container?.volume === undefined ? undefined : world.volumes[container.volume];
  if (container?.running !== false || volume === undefined) return;
  const job = jobMark(stepId);
  volume.files[HISTORY_FILE] = {
    content: `${volume.files[HISTORY_FILE]?.content ?? ''}written by ${job}\n`,
    mtime: mtimeOf(at),
  };
  volume.writtenBy = job;
}
