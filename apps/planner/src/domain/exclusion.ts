import type { ApplicationDocument, UpgradeRequest } from '#contracts';
import { isNamed, worksOf } from './hook-works.js';
import { pointerOf, type Problems } from './problems.js';

/** As much of an instance as it is left out by. */
interface Excludable {
  readonly id: string;
  readonly component: { readonly name: string };
  readonly target: { readonly name: string };
}

/** Who takes part in an upgrade, and who stays as it is: both in the order of the documents. */
export interface Parted<I> {
  readonly instances: readonly I[];
  readonly leftOut: readonly I[];
}

/** Takes out what the request names; a name that nothing has is refused, since what was meant by it would be upgraded. */
export function partedBy<I extends Excludable>(
  { exclude, application }: Pick<UpgradeRequest, 'exclude' | 'application'>,
  all: readonly I[],
  problems: Problems,
): Parted<I> {
  if (exclude === undefined) return { instances: all, leftOut: [] };
  const byTarget = Map.groupBy(all, ({ target }) => target.name);
  const ids = new Set(all.map(({ id }) => id));
  const out = new Set<string>();
  exclude.forEach((one, index) => {
    if ('target' in one) {
      const there = byTarget.get(one.target);
      for (const { id } of there ?? []) out.add(id);
      if (there !== undefined) return;
      problems.add(
        'unplannable',
        pointerOf('exclude', index, 'target'),
        `nothing of ${application} runs on target ${one.target}, which is to be left out ` +
          `(it runs on: ${[...byTarget.keys()].join(', ')}): correct the name`,
      );
      return;
    }
    out.add(one.instance);
    if (ids.has(one.instance)) return;
    problems.add(
      'unplannable',
      pointerOf('exclude', index, 'instance'),
      `${application} has no instance ${one.instance}, which is to be left out: correct the name (<component>@<target>)`,
    );
  });
  const instances = all.filter(({ id }) => !out.has(id));
  if (instances.length === 0 && all.length > 0)
    problems.add(
      'unplannable',
      '/exclude',
      `all of ${application} is left out: there is nothing to upgrade`,
    );
  return { instances, leftOut: all.filter(({ id }) => out.has(id)) };
}

/** What is left out is not locked, so that no hook of the whole application may be at work in it. */
export function refuseHooksOfLeftOut(
  { metadata, spec }: ApplicationDocument,
  leftOut: readonly Excludable[],
  problems: Problems,
): void {
  if (leftOut.length === 0) return;
  for (const { pointer, name, work } of worksOf(spec.hooks)) {
    const { instance } = work;
    if (instance === undefined) continue;
    const out = leftOut.find((one) => isNamed(one, instance));
    if (out === undefined) continue;
    problems.add(
      'unplannable',
      `${pointerOf('applications', metadata.name, 'spec')}${pointer}`,
      `the hook ${name} of ${metadata.name} is ${work.type === 'edit' ? 'an' : 'a'} ${work.type} at ${out.id}, which is to be left out: ` +
        'let it take part, or let the hook be of another instance',
    );
  }
}
