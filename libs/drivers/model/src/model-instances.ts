import { makerOf, type ActionInput, type ActionOutput, type Observation } from '#contracts';
import type { InstanceDriver, ObserveQuery, StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { obeyControl } from './control.js';
import { markOf, type Decision, type EffectWriter } from './effects.js';
import { observeWorld } from './observe.js';
import {
  migrate,
  modelContainerId,
  modelImageId,
  type Effect,
  type ModelContainer,
  type ModelWorld,
} from './world.js';

type Output = ActionOutput<'instance.stop'>;
type Instance = ActionInput<'instance.restore-old'>;

/** How an instance's containers stand, as found by ID and by who made them: names move. */
interface Found {
  readonly old: readonly [name: string, container: ModelContainer] | undefined;
  /** Made by this upgrade, wherever it is now. */
  readonly fresh: readonly [name: string, container: ModelContainer] | undefined;
}

export class ModelInstances implements InstanceDriver {
  constructor(private readonly effects: EffectWriter) {}

  async observe(query: ObserveQuery, signal: AbortSignal): Promise<Observation> {
    const { store } = this.effects;
    for (const container of query.containers) {
      const place = { action: 'observe', container, stepId: '', token: 0, signal } as const;
      await obeyControl(store, place, 'before');
    }
    return observeWorld(await store.read(), query);
  }

  async stop(context: StepContext, input: ActionInput<'instance.stop'>): Promise<Output> {
    return this.around(context, 'instance.stop', input.container, () =>
      this.effects.make(context, input.container, (world): Decision<Output> => {
        const { old } = find(world, context, input);
        if (old === undefined) throw drift(input);
        const [, container] = old;
        const { containerId } = container;
        if (!container.running) {
          const mine = container.stoppedBy?.upgrade === context.upgrade;
          return { done: { containerId, found: mine ? 'done_before' : 'nothing_to_do' } };
        }
        return { effect: 'stopped', apply: () => stopped(container, context) };
      }),
    );
  }

  async replace(context: StepContext, input: ActionInput<'instance.replace'>): Promise<Output> {
    return this.around(context, 'instance.replace', input.container, async () => {
      await this.effects.make(context, input.container, (world): Decision<void> => {
        const { old, fresh } = find(world, context, input);
        if (fresh !== undefined || old?.[0] === input.keptName) return { done: undefined };
        if (old === undefined) throw drift(input);
        if (world.containers[input.keptName] !== undefined) throw inTheWay(input.keptName);
        imageOf(world, input);
        if (old[1].running && input.rolling !== true)
          return { effect: 'kept-old', violation: 'the old version runs' };
        return {
          effect: 'kept-old',
          apply: () => moveContainer(world, input.container, input.keptName),
        };
      });
      await this.effects.obey(context, 'instance.replace', input.container, 'between');
      return this.effects.make(context, input.container, (world): Decision<Output> => {
        const { old, fresh } = find(world, context, input);
        if (old?.[0] !== input.keptName) throw drift(input);
        if (fresh?.[1].running === true) {
          return { done: { containerId: fresh[1].containerId, found: 'done_before' } };
        }
        const effect: Effect = 'started-new';
        if (old[1].running && input.rolling !== true)
          return { effect, violation: 'the old version runs' };
        if (fresh !== undefined) return { effect, violation: 'it was started and stopped before' };
        if (world.containers[input.container] !== undefined) throw inTheWay(input.container);
        const { imageId, imageReference } = imageOf(world, input);
        const { volume } = old[1];
        return {
          effect,
          apply: (at) => {
            // as the new one comes, the old one goes
            if (old[1].running) stopped(old[1], context);
            const containerId = modelContainerId(context.upgrade, context.stepId, context.token);
            world.containers[input.container] = {
              ...{ containerId, imageId, imageReference, running: true },
              ...(volume === undefined ? {} : { volume }),
              ...{ madeBy: markOf(context), replaces: input.keptName },
            };
            const data = volume === undefined ? undefined : world.volumes[volume];
            if (data !== undefined) migrate(data, imageId, at);
            return { containerId, found: 'done_now' };
          },
        };
      });
    });
  }

  async stopNew(context: StepContext, input: ActionInput<'instance.stop-new'>): Promise<Output> {
    return this.around(context, 'instance.stop-new', input.container, () =>
      this.effects.make(context, input.container, (world): Decision<Output> => {
        const { fresh } = find(world, context, input);
        if (fresh === undefined) return { done: { found: 'nothing_to_do' } };
        const [, container] = fresh;
        if (!container.running) {
          return { done: { containerId: container.containerId, found: 'done_before' } };
        }
        return { effect: 'stopped-new', apply: () => stopped(container, context) };
      }),
    );
  }

  async restoreOld(
    context: StepContext,
    input: ActionInput<'instance.restore-old'>,
  ): Promise<Output> {
    return this.around(context, 'instance.restore-old', input.container, async () => {
      const put = await this.effects.make(context, input.container, (world): Decision<Output> => {
        const { old, fresh } = find(world, context, input);
        if (old === undefined) throw drift(input);
        const { containerId } = old[1];
        const effect: Effect = 'put-back-old';
        if (old[0] === input.container) {
          const mine = wasMade(world, effect, context, input.container);
          return { done: { containerId, found: mine ? 'done_before' : 'nothing_to_do' } };
        }
        const newRuns = fresh?.[1].running === true;
        if (newRuns && input.rolling !== true) return { effect, violation: 'the new version runs' };
        if (fresh === undefined && world.containers[input.container] !== undefined) {
          throw inTheWay(input.container);
        }
        return {
          effect,
          apply: () => {
            if (fresh !== undefined) {
              if (newRuns) stopped(fresh[1], context);
              moveContainer(world, fresh[0], `${input.keptName}-new`);
            }
            moveContainer(world, input.keptName, input.container);
            return { containerId, found: 'done_now' };
          },
        };
      });
      await this.effects.obey(context, 'instance.restore-old', input.container, 'between');
      if (!input.start) return put;
      return this.effects.make(context, input.container, (world): Decision<Output> => {
        const { old, fresh } = find(world, context, input);
        if (old?.[0] !== input.container) throw drift(input);
        const [, container] = old;
        if (container.running) {
          const mine = wasMade(world, 'started-old', context, input.container);
          const found = mine || put.found === 'done_before' ? 'done_before' : put.found;
          return { done: { containerId: container.containerId, found } };
        }
        const effect: Effect = 'started-old';
        if (fresh?.[1].running === true) return { effect, violation: 'the new version runs' };
        const data = container.volume === undefined ? undefined : world.volumes[container.volume];
        if (data !== undefined && data.writtenBy !== container.imageId) {
          return { effect, violation: `its data was last written by ${data.writtenBy}` };
        }
        return {
          effect,
          apply: () => {
            container.running = true;
            delete container.stoppedBy;
            return { containerId: container.containerId, found: 'done_now' };
          },
        };
      });
    });
  }

  async removeNew(
    context: StepContext,
    input: ActionInput<'instance.remove-new'>,
  ): Promise<Output> {
    return this.around(context, 'instance.remove-new', input.container, () =>
      this.effects.make(context, input.container, (world): Decision<Output> => {
        const { old, fresh } = find(world, context, input);
        const effect: Effect = 'removed-new';
        if (fresh === undefined) return { done: gone(world, effect, context, input.container) };
        if (fresh[1].running) return { effect, violation: 'it runs' };
        if (old?.[0] !== input.container) return { effect, violation: 'the old one is not back' };
        return { effect, apply: () => removed(world, fresh[0]) };
      }),
    );
  }

  async removeOld(
    context: StepContext,
    input: ActionInput<'instance.remove-old'>,
  ): Promise<Output> {
    return this.around(context, 'instance.remove-old', input.container, () =>
      this.effects.make(context, input.container, (world): Decision<Output> => {
        const { old } = find(world, context, input);
        // after several hops: what the last of them made
        const now = world.containers[input.container];
        const effect: Effect = 'removed-old';
        if (old === undefined) return { done: gone(world, effect, context, input.container) };
        if (old[1].running) return { effect, violation: 'it runs' };
        if (now?.running !== true || now.madeBy?.upgrade !== context.upgrade)
          return { effect, violation: 'the new one does not run' };
        return { effect, apply: () => removed(world, old[0]) };
      }),
    );
  }

  private async around(
    context: StepContext,
    action:
      | 'instance.stop'
      | `instance.${'replace' | 'stop-new' | 'restore-old' | 'remove-new' | 'remove-old'}`,
    container: string,
    work: () => Promise<Output>,
  ): Promise<Output> {
    await this.effects.obey(context, action, container, 'before');
    const output = await work();
    context.log(`${action} of ${container}: ${output.found}`);
    await this.effects.obey(context, action, container, 'after');
    return output;
  }
}

function find(
  world: ModelWorld,
  context: StepContext,
  input: Pick<Instance, 'containerId'> & Partial<Pick<Instance, 'keptName'>>,
): Found {
  const all = Object.entries(world.containers);
  return {
    old: all.find(([, one]) => isPlanned(one, context.upgrade, input.containerId)),
    fresh: all.find(
      ([, one]) =>
        one.madeBy?.upgrade === context.upgrade &&
        one.replaces !== undefined &&
        one.replaces === input.keptName,
    ),
  };
}

/** By its ID, or by the step of this upgrade that made it. */
export function isPlanned(one: ModelContainer, upgrade: string, containerId: string): boolean {
  const maker = makerOf(containerId);
  if (maker === undefined) return one.containerId === containerId;
  return one.madeBy?.upgrade === upgrade && one.madeBy.stepId === maker;
}

function imageOf(
  world: ModelWorld,
  { image }: ActionInput<'instance.replace'>,
): { imageId: string; imageReference: string } {
  const imageId = image.id ?? modelImageId(image.digest ?? image.reference);
  if (world.images[imageId] === undefined) {
    throw new LiftlockError(
      'image_missing',
      `the image ${image.reference} (${imageId}) is not on the model target; prepare it first`,
    );
  }
  return { imageId, imageReference: image.reference };
}

function stopped(container: ModelContainer, context: StepContext): Output {
  container.running = false;
  container.stoppedBy = markOf(context);
  return { containerId: container.containerId, found: 'done_now' };
}

function moveContainer(world: ModelWorld, from: string, to: string): void {
  const container = world.containers[from];
  if (container === undefined || from === to) return;
  world.containers[to] = container;
  delete world.containers[from];
}

function removed(world: ModelWorld, name: string): Output {
  const containerId = world.containers[name]?.containerId;
  delete world.containers[name];
  return { ...(containerId === undefined ? {} : { containerId }), found: 'done_now' };
}

function wasMade(
  world: ModelWorld,
  effect: Effect,
  context: StepContext,
  container: string,
): boolean {
  return world.ledger.some(
    (line) =>
      'effect' in line &&
      line.effect === effect &&
      line.upgrade === context.upgrade &&
      line.container === container,
  );
}

function gone(world: ModelWorld, effect: Effect, context: StepContext, container: string): Output {
  return { found: wasMade(world, effect, context, container) ? 'done_before' : 'nothing_to_do' };
}

function drift(input: Pick<Instance, 'container' | 'containerId'>): LiftlockError {
  return new LiftlockError(
    'drift',
    `the container ${input.container} is not ${input.containerId} any more; plan again`,
  );
}

function inTheWay(name: string): LiftlockError {
  return new LiftlockError('not_empty', `a container ${name} is in the way; remove or rename it`);
}
