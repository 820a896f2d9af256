import type { Instance } from './instances.js';

/** Once it began, there is no way back. */
export function isIrreversible(hook: object): boolean {
  return 'irreversible' in hook && hook.irreversible === true;
}

/** What a person should know of the hooks before agreeing. */
export function hookWarnings(instance: Instance): string[] {
  const { name: of, data, hooks } = instance.component;
  const { before = [], stopped = [], after = [] } = hooks ?? {};
  const irreversible = [...before, ...stopped, ...after]
    .filter(isIrreversible)
    .map(
      ({ name }) =>
        `${name} of ${of} cannot be undone: once it has begun, the upgrade only goes forward`,
    );
  const lasting = stopped
    .filter((hook) => hook.type === 'job' && hook.volumesFrom && hook.undo === 'none')
    .map(
      ({ name }) =>
        `${name} of ${of} is a job on its data, of which no snapshot is taken: what it changes stays when the upgrade goes back; give it an undo`,
    );
  return data === undefined ? [...irreversible, ...lasting] : irreversible;
}
