import type { Strategy } from '#contracts';
import type { Instance } from './instances.js';
import { isService } from './services.js';

/** How an instance comes from its old version to its new one: what its document says, else what its platform does, and its data allows. */
export function strategyOf({
  component,
  target,
}: Pick<Instance, 'component' | 'target'>): Strategy {
  // how pods of other clusters come and go is k0rdent's
  if (isService({ component, target })) return 'rolling';
  if (component.strategy !== undefined) return component.strategy;
  if (target.driver !== 'kubernetes') return 'recreate';
  const { data, hooks } = component;
  const isStopped = data !== undefined && data.consistency === 'stopped';
  return isStopped || (hooks?.stopped ?? []).length > 0 ? 'recreate' : 'rolling';
}
