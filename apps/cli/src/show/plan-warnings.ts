import type { Change } from '#contracts';

/** How many instances are named of which the same is to be said. */
const NAMED = 3;
const INSTANCE = /[a-z0-9-]+@[a-z0-9-]+/g;

/** As much of a plan as its history tells, too. */
interface WarnedPlan {
  readonly warnings: readonly string[];
  readonly changes: ReadonlyArray<Pick<Change, 'instance'>>;
}

/**
 * Warnings of a plan, each that is the same of several instances told once: of a large fleet nobody would read them all.
 * The plan has each of them, and so have its other formats.
 * @param whereEach how a person comes by those that are not named
 */
export function warningsInShort(
  { warnings, changes }: WarnedPlan,
  whereEach = '-o markdown has each',
): string[] {
  const known = new Set(changes.map(({ instance }) => instance));
  const alike = new Map<string, { readonly text: string; readonly others: string[] }>();
  for (const text of warnings) {
    const instances = (text.match(INSTANCE) ?? []).filter((one) => known.has(one));
    const [instance] = instances;
    // what is about several together is of these alone
    if (instance === undefined || new Set(instances).size > 1) {
      alike.set(text, { text, others: [] });
      continue;
    }
    const said = text.replaceAll(INSTANCE, (one) => (one === instance ? '@' : one));
    const first = alike.get(said);
    if (first === undefined) alike.set(said, { text, others: [] });
    else first.others.push(instance);
  }
  return [...alike.values()].map(({ text, others }) =>
    others.length === 0 ? text : `${text} (and so of ${namesOf(others, whereEach)})`,
  );
}

function namesOf(instances: readonly string[], whereEach: string): string {
  const named = instances.slice(0, NAMED).join(', ');
  const more = instances.length - NAMED;
  return more > 0 ? `${named} and ${more} more: ${whereEach}` : named;
}
