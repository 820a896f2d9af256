import { isLive, type ContainerInfo, type Engine } from './engine.js';
import { LABELS } from './labels.js';

/**
 * The container that stands today for what a setting of another one names (`container:<id>`, a link, `VolumesFrom`): the
 * engine writes down the id, or follows the name to the container that was kept, so that after an upgrade of the named one
 * the setting would lead to the stopped old one, or to nothing.
 *
 * @returns the named one while it lives, or where nothing took its place; else the one that an upgrade made in its place.
 */
export async function standsFor(
  engine: Engine,
  nameOrId: string,
  signal?: AbortSignal,
): Promise<ContainerInfo | undefined> {
  const named = await engine.inspect(nameOrId, signal);
  if (named !== undefined && isLive(named)) return named;
  const id = named?.Id ?? nameOrId;
  const heirs = await engine.call(
    'looking for what took the place of another container',
    signal,
    (docker, options) =>
      docker.listContainers({ all: true, filters: { label: [LABELS.stoodFor] }, ...options }),
  );
  const heir = heirs
    .filter(({ Labels }) => stoodFor(Labels).includes(id))
    .toSorted((one, other) => rank(other) - rank(one) || other.Created - one.Created)[0];
  // what never ran, or failed and was set aside, has taken nobody's place
  if (heir === undefined || rank(heir) === 0) return named;
  return (await engine.inspect(heir.Id, signal)) ?? named;
}

/** Ids of the containers in whose place it stands, the oldest first. */
export function stoodFor(labels: Readonly<Record<string, string>> | undefined): string[] {
  return (labels?.[LABELS.stoodFor] ?? '').split(',').filter((id) => id !== '');
}

function rank({ State }: { readonly State: string }): number {
  return State === 'running' || State === 'paused' || State === 'restarting' ? 1 : 0;
}
