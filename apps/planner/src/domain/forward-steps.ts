import type { Instance } from './instances.js';
import { strategyOf } from './strategy.js';

/** What every lane is made of; hooks and checks lie between. */
export type Forward = 'snapshot' | 'stop' | 'replace';

/** Snapshot between stop and start, or, where the documents say that it need not be stopped, before the stop; what rolls is not stopped. */
export function orderOf(instance: Instance): readonly Forward[] {
  const { data } = instance.component;
  const stop: readonly Forward[] = strategyOf(instance) === 'rolling' ? [] : ['stop'];
  if (data === undefined) return [...stop, 'replace'];
  return (data.consistency ?? 'stopped') === 'stopped'
    ? [...stop, 'snapshot', 'replace']
    : ['snapshot', ...stop, 'replace'];
}

export function forwardStepOf(lane: string, instance: Instance, name: Forward): string {
  return `${lane}/${orderOf(instance).indexOf(name) + 1}-${name}`;
}

/** The step of a lane that makes the new container. */
export function replaceStepOf(lane: string, instance: Instance): string {
  return forwardStepOf(lane, instance, 'replace');
}
