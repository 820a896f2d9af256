import type { ObjectWork, QueryInput } from '#contracts';
import { isNamed, worksOf } from './hook-works.js';
import type { Instance, UpgradeExtent } from './instances.js';
import { namespaceOf } from './object-hooks.js';
import { pointerOf, type Problems } from './problems.js';
import type { SeenTarget } from './seen-target.js';

type Question = NonNullable<QueryInput<'observe'>['manifests']>[number];
type ApplyWork = Extract<ObjectWork, { type: 'apply' }>;

interface Applied extends Question {
  readonly pointer: string;
}

/** What one question about manifests is known by: no namespace has white space. */
export function manifestKey(path: string, namespace: string): string {
  return `${namespace} ${path}`;
}

/** What hooks of an instance apply, and those of the whole application at it. */
function appliedAt(
  instance: Instance,
  { application }: Pick<UpgradeExtent, 'application'>,
): Applied[] {
  const { metadata, spec } = application.document;
  const place = pointerOf('applications', metadata.name, 'spec');
  const own = worksOf(instance.component.hooks).map((one) => ({ ...one, at: instance.pointer }));
  const ofWhole = worksOf(spec.hooks)
    .filter(({ work }) => work.instance !== undefined && isNamed(instance, work.instance))
    .map((one) => ({ ...one, at: place }));
  return [...own, ...ofWhole].flatMap(({ work, workPointer, at }): Applied[] => {
    if (work.type !== 'apply') return [];
    const { path, namespace } = work as ApplyWork;
    const pointer = `${at}${workPointer}`;
    return [{ path, namespace: namespaceOf({ namespace }, instance), pointer }];
  });
}

/** What is asked of the machine that would apply it, each once. */
export function manifestQuestions(
  instances: readonly Instance[],
  extent: Pick<UpgradeExtent, 'application'>,
): Question[] {
  const found = new Map<string, Question>();
  for (const instance of instances)
    for (const { path, namespace } of appliedAt(instance, extent))
      found.set(manifestKey(path, namespace), { path, namespace });
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, question]) => question);
}

/** Digests of what is applied, by `manifestKey`; what could not be built goes to the problems. */
export function manifestDigests(
  instance: Instance,
  extent: Pick<UpgradeExtent, 'application'>,
  seen: SeenTarget,
  problems: Problems,
): ReadonlyMap<string, string> | undefined {
  const applied = appliedAt(instance, extent);
  if (applied.length === 0) return undefined;
  const digests = new Map<string, string>();
  for (const { path, namespace, pointer } of applied) {
    const answer = seen.manifest(path, namespace);
    if (answer?.digest !== undefined) {
      digests.set(manifestKey(path, namespace), answer.digest);
      continue;
    }
    const because = answer?.problem ?? 'nobody looked';
    problems.add(
      'unplannable',
      pointer,
      `${path} cannot be applied to ${instance.target.name}: ${because}; put it on the executor’s machine, and see that \`kubectl kustomize\` builds it`,
    );
  }
  return digests;
}
