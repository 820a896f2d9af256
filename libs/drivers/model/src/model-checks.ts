import type { ActionInput, ActionOutput } from '#contracts';
import type { CheckDriver, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { setTimeout as delay } from 'node:timers/promises';
import { readControl } from './control.js';
import type { EffectWriter } from './effects.js';
import type { ModelContainer } from './world.js';

export class ModelChecks implements CheckDriver {
  constructor(private readonly effects: EffectWriter) {}

  async assertUnchanged(
    context: StepContext,
    input: ActionInput<'instance.assert-unchanged'>,
  ): Promise<ActionOutput<'instance.assert-unchanged'>> {
    await this.effects.obey(context, 'instance.assert-unchanged', input.container, 'before');
    const found = (await this.effects.store.read()).containers[input.container];
    const seen = found === undefined ? 'is not there' : difference(found, input);
    if (seen !== undefined) {
      throw new LiftlockError('drift', `the container ${input.container} ${seen}; plan again`);
    }
    await this.effects.obey(context, 'instance.assert-unchanged', input.container, 'after');
    return {};
  }

  async check(
    context: StepContext,
    input: ActionInput<'instance.check'>,
  ): Promise<ActionOutput<'instance.check'>> {
    const { container, check } = input;
    await this.effects.obey(context, 'instance.check', container, 'before');
    const begin = performance.now();
    const deadline = begin + check.deadlineSeconds * 1000;
    let passingSince: number | undefined;
    for (let looks = 1; ; looks += 1) {
      context.signal.throwIfAborted();
      const problem = await this.problem(input);
      const now = performance.now();
      passingSince = problem === undefined ? (passingSince ?? now) : undefined;
      if (passingSince !== undefined && now - passingSince >= check.stableSeconds * 1000) {
        await this.effects.obey(context, 'instance.check', container, 'after');
        return { looks, detail: `${container} runs and passes` };
      }
      if (now >= deadline) {
        throw new LiftlockError(
          'check_failed',
          `${check.type} of ${container}: not within ${check.deadlineSeconds} s: ${problem ?? 'not stable for long enough'}`,
        );
      }
      await delay(Math.min(check.intervalMs, Math.max(1, deadline - now)), undefined, {
        signal: context.signal,
      });
    }
  }

  private async problem(input: ActionInput<'instance.check'>): Promise<string | undefined> {
    const { store } = this.effects;
    const found = (await store.read()).containers[input.container];
    if (found === undefined) return 'it is not there';
    if (!found.running) return 'it does not run';
    if (input.imageId !== undefined && found.imageId !== input.imageId) {
      return `it runs ${found.imageId}, not ${input.imageId}`;
    }
    const { rules } = await readControl(store.folder);
    const failing = rules.some(
      (one) =>
        one.do === 'fail-checks' &&
        one.imageId === found.imageId &&
        (one.container ?? input.container) === input.container,
    );
    return failing ? 'the control file lets it fail' : undefined;
  }
}

function difference(
  found: ModelContainer,
  wanted: ActionInput<'instance.assert-unchanged'>,
): string | undefined {
  if (found.containerId !== wanted.containerId) return `has another id: ${found.containerId}`;
  if (found.imageId !== wanted.imageId) return `runs another image: ${found.imageId}`;
  if (found.running !== wanted.running) return found.running ? 'runs' : 'does not run';
  return undefined;
}
