import { posix } from 'node:path';
import type { EditWork } from '#contracts';
import { placeProblem } from './ephemeral-files.js';
import type { Instance } from './instances.js';
import type { Problems } from './problems.js';
import { isWithin } from './shared-data.js';
import type { SeenContainer } from './wanted-image.js';

interface Edit extends EditWork {
  readonly timeoutSeconds: number;
  readonly retries: number;
}

/** The edit that takes this one back: what is there now is replaced by what was. */
export function editBack<E extends Edit & { readonly undo: 'back' | 'none' }>({
  undo: _undo,
  ...edit
}: E): Omit<E, 'undo'> {
  return {
    ...edit,
    replace: edit.replace.map(({ line, with: other }) => ({ line: other, with: line })),
  };
}

/** What a person reads: the first lines that change, and in which file. */
export function describeEdit({ path, replace }: EditWork): string {
  const [first, ...more] = replace;
  const firstOf = (lines: string | string[] = ''): string => [lines].flat()[0] ?? '';
  const others = more.length === 0 ? '' : `, and ${more.length} more`;
  return `edit ${path}: ${firstOf(first?.line)} --> ${firstOf(first?.with)}${others}`;
}

/** What is in the container's own file system is seen by no other container, and what is mounted by itself cannot be replaced at once. */
export function refuseMisplacedEdit(
  { name, path }: { readonly name: string; readonly path: string },
  instance: Instance,
  { mounts }: Pick<SeenContainer, 'mounts'>,
  pointer: string,
  problems: Problems,
): void {
  const problem = placeProblem(path, mounts);
  if (problem === undefined) return;
  problems.add(
    'unplannable',
    pointer,
    `the hook ${name} edits ${path} of ${instance.id}, which ${problem.why}: ` +
      (problem.isMountPoint
        ? 'what is mounted by itself cannot be replaced at once; mount the folder that it lies in'
        : `edit a file below one of ${problem.places}`),
  );
}

/** Whether a restore of the instance's data brings the file back, by whichever of its mounts. */
export function isAmongData(
  path: string,
  { component }: Instance,
  { mounts }: Pick<SeenContainer, 'mounts'>,
): boolean {
  const file = placeAt(path, mounts);
  return (component.data?.paths ?? []).some((folder) => {
    const data = placeAt(posix.normalize(folder), mounts);
    return isWithin(path, posix.normalize(folder)) || isWithin(file, data);
  });
}

/** The same for all paths that lead to the same place. */
function placeAt(path: string, mounts: SeenContainer['mounts']): string {
  const [holder] = mounts
    .filter(({ destination }) => isWithin(path, posix.normalize(destination)))
    .toSorted((a, b) => b.destination.length - a.destination.length);
  if (holder === undefined) return path;
  const rest = posix.relative(posix.normalize(holder.destination), path);
  return posix.join(holder.kind, holder.source, rest);
}
