import { FIELD_MANAGER } from './labels.js';
import type { FieldTree, KubeObject } from './objects.js';

/** Who wrote an object last besides us, as its managed fields tell: `somebody` where they do not. */
export function lastWriter({ metadata: { managedFields = [] } }: KubeObject): string {
  const others = managedFields
    .filter(({ manager, subresource }) => manager !== FIELD_MANAGER && subresource !== 'status')
    // what a controller writes of its own is no matter
    .filter(({ manager = '' }) => manager !== 'kube-controller-manager')
    .map((one) => ({ manager: one.manager ?? '', time: (one as { time?: string }).time ?? '' }))
    .toSorted((one, other) => (one.time < other.time ? 1 : -1));
  return others[0]?.manager ? `${others[0].manager} (a field manager)` : 'somebody';
}

/** Who, besides us, is said to have set one of these fields of a container. */
export function managersOf(
  { metadata: { managedFields = [] } }: KubeObject,
  container: string,
  fields: readonly string[],
): string[] {
  const owning = managedFields.filter(({ manager, fieldsV1 }) => {
    if (manager === FIELD_MANAGER || fieldsV1 === undefined) return false;
    const containers = below(fieldsV1, ['f:spec', 'f:template', 'f:spec', 'f:containers']);
    const own = containers?.[`k:${JSON.stringify({ name: container })}`];
    return own !== undefined && fields.some((field) => below(own, pathOf(field)) !== undefined);
  });
  return [...new Set(owning.map(({ manager = '' }) => manager))].toSorted();
}

function pathOf(field: string): string[] {
  const variable = /^env (.*)$/.exec(field)?.[1];
  return variable === undefined
    ? [`f:${field}`]
    : ['f:env', `k:${JSON.stringify({ name: variable })}`];
}

function below(tree: FieldTree, path: readonly string[]): FieldTree | undefined {
  let at: FieldTree | undefined = tree;
  for (const step of path) at = at?.[step];
  return at;
}
