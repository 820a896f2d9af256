import type { CompensationStep } from '#contracts';
import type { Turn } from './turn.js';

/**
 * A target that an image was brought to, and whose instances' turn never came, or that had nothing new to be removed: what was made there
 * for all of them (second names of images) is removed with the new container of its first instance, of which there is none.
 */
export function removalsForOthers(turn: Turn): CompensationStep[] {
  const { saga, index } = turn;
  const open = new Set(
    index.plan.prepare
      .filter(({ action, id }) => action === 'image.prepare' && saga.steps[id] !== undefined)
      .map(({ target }) => target.name),
  );
  for (const [id, { lane }] of index.lanes)
    if (saga.lanes[id] === 'verified') open.delete(lane.target);
  const removals = [...index.compensation.values()]
    .map(({ step }) => step)
    .filter(({ action }) => action === 'instance.remove-new');
  for (const { id, target } of removals)
    if (saga.steps[id]?.direction === 'back') open.delete(target.name);
  return removals.filter(({ target }) => open.delete(target.name));
}
