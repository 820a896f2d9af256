import type { ActionInput, ActionOutput, ObjectWork } from '#contracts';
import type { HookDriver, StepContext } from '#drivers/core';
import type { Decision, EffectWriter } from './effects.js';
import type { ModelWorld } from './world.js';

type Output = ActionOutput<'hook.object'>;
type ObjectDriver = Pick<HookDriver, 'object' | 'objectBack' | 'forgetObjects'>;

/** Objects of a cluster's API, as far as the way back is about them: who changed which last, and what was there before. */
export class ModelObjects implements ObjectDriver {
  constructor(private readonly effects: EffectWriter) {}

  async object(context: StepContext, input: ActionInput<'hook.object'>): Promise<Output> {
    return this.around(context, 'hook.object', input.container, (world) => {
      const object = keyOf(input);
      const mine = markOf(context.stepId);
      const isGone = input.work.type === 'delete';
      const known = recordKey(context.upgrade, context.stepId);
      if (world.objectRecords[known] !== undefined || world.objects[object] === mine)
        return { done: { found: 'done_before', said: [] } };
      return {
        effect: 'object-changed',
        apply: () => {
          if (input.recorded)
            world.objectRecords[known] = {
              object,
              before: world.objects[object] ?? null,
              whileDown: world.containers[input.container]?.running !== true,
            };
          if (isGone) delete world.objects[object];
          else world.objects[object] = mine;
          return { found: 'done_now', said: [] };
        },
      };
    });
  }

  async objectBack(context: StepContext, input: ActionInput<'hook.object-back'>): Promise<Output> {
    return this.around(context, 'hook.object-back', input.container, (world) => {
      const known = recordKey(context.upgrade, input.undoes);
      const record = world.objectRecords[known];
      if (record === undefined) return { done: { found: 'nothing_to_do', said: [] } };
      const { object, before, whileDown } = record;
      const effect = 'object-put-back';
      const now = world.objects[object];
      if (now !== undefined && now !== markOf(input.undoes))
        return { effect, violation: `${object} was changed since: ${now}` };
      if (whileDown && world.containers[input.container]?.running === true)
        return { effect, violation: `${input.container} runs` };
      return {
        effect,
        apply: () => {
          if (before === null) delete world.objects[object];
          else world.objects[object] = before;
          delete world.objectRecords[known];
          return { found: 'done_now', said: [] };
        },
      };
    });
  }

  async forgetObjects(
    context: StepContext,
    input: ActionInput<'hook.forget-objects'>,
  ): Promise<Output> {
    return this.around(context, 'hook.forget-objects', input.container, (world) => {
      const known = input.steps
        .map((step) => recordKey(context.upgrade, step))
        .filter((key) => world.objectRecords[key] !== undefined);
      if (known.length === 0) return { done: { found: 'nothing_to_do', said: [] } };
      return {
        effect: 'objects-forgotten',
        apply: () => {
          for (const key of known) delete world.objectRecords[key];
          return { found: 'done_now', said: [] };
        },
      };
    });
  }

  private async around(
    context: StepContext,
    action: 'hook.object' | 'hook.object-back' | 'hook.forget-objects',
    container: string,
    look: (world: ModelWorld) => Decision<Output>,
  ): Promise<Output> {
    await this.effects.obey(context, action, container, 'before');
    const output = await this.effects.make(context, container, look);
    await this.effects.obey(context, action, container, 'after');
    return output;
  }
}

function recordKey(upgrade: string, stepId: string): string {
  return `${upgrade} ${stepId}`;
}

/** What a step leaves at an object. */
function markOf(stepId: string): string {
  return `changed by ${stepId}`;
}

function keyOf({
  namespace,
  work,
}: Pick<ActionInput<'hook.object'>, 'namespace' | 'work'>): string {
  return `${work.type === 'apply' || 'object' in work ? namespace : 'cluster'}/${nameOf(work)}`;
}

function nameOf(work: ObjectWork): string {
  if ('object' in work) return work.object;
  return work.type === 'apply' ? work.path : `nodes/${JSON.stringify(work.nodes)}`;
}
