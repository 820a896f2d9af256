import { digestOf } from '#kernel';
import {
  issuesWithin,
  serviceTemplateChainDocument,
  type ApplicationDocument,
  type ClusterChain,
  type Observation,
  type ServiceTemplateChainDocument,
} from '#contracts';
import { targetsOf } from './instances.js';
import type { ObserveQuestion } from './observe-questions.js';
import type { PlanningDocuments, Stored } from './planning-documents.js';
import { pointerOf, type Problems } from './problems.js';

type Documents = Pick<PlanningDocuments, 'environment' | 'application'>;

interface NamedChain extends ClusterChain {
  /** Where the application names it. */
  readonly pointer: string;
}

/** What to ask clusters for the chains that an application names there; what cannot be asked goes to the problems. */
export function chainQuestions(documents: Documents, problems: Problems): ObserveQuestion[] {
  const { environment } = documents;
  if (environment === undefined) return [];
  const targets = targetsOf(environment.document);
  const named = namedIn(documents);
  return [...Map.groupBy(named, ({ target }) => target)].flatMap(([name, chains]) => {
    const target = targets.get(name)?.target;
    if (target?.driver === 'kubernetes')
      return { target, containers: [], images: [], chains: chains.map(placeOf) };
    for (const { pointer } of chains)
      problems.add(
        'unplannable',
        `${pointer}/target`,
        target === undefined
          ? `environment ${environment.document.metadata.name} has no target ${name}, where a chain is to be read (it has: ${[...targets.keys()].join(', ')}): correct the name`
          : `a chain is to be read from ${name}, which is no Kubernetes cluster: name one, or apply the chain as a document`,
      );
    return [];
  });
}

/** The chains as they are there, as if they were stored; what is missing, or not valid, goes to the problems. */
export function chainsSeen(
  documents: Documents,
  observations: readonly Observation[],
  problems: Problems,
): Array<Stored<ServiceTemplateChainDocument>> {
  return namedIn(documents).flatMap(({ target, namespace, name, pointer }) => {
    const found = observations
      .find((one) => one.target === target)
      ?.chains?.find((one) => one.namespace === namespace && one.name === name);
    const refuse = (why: string): [] => {
      problems.add('unplannable', pointer, why);
      return [];
    };
    if (found?.generation === undefined)
      return refuse(
        `there is no ServiceTemplateChain ${namespace}/${name} on ${target}: apply it there, or correct the name`,
      );
    if (found.problem !== undefined)
      return refuse(
        `k0rdent does not go by the ServiceTemplateChain ${namespace}/${name} on ${target}: ${found.problem}`,
      );
    const parsed = serviceTemplateChainDocument.safeParse({
      apiVersion: 'k0rdent.mirantis.com/v1beta1',
      kind: 'ServiceTemplateChain',
      metadata: { namespace, name },
      spec: found.spec ?? {},
    });
    const issues = parsed.success
      ? issuesWithin(parsed.data)
      : parsed.error.issues.map(({ path, message }) => ({
          pointer: pointerOf(...path.map(String)),
          message,
        }));
    if (!parsed.success || issues.length > 0)
      return refuse(
        `the ServiceTemplateChain ${namespace}/${name} on ${target} cannot be read: ${issues.map((one) => `${one.pointer} ${one.message}`).join('; ')}`,
      );
    const { data: document } = parsed;
    const from = { target, namespace };
    return { document, generation: found.generation, digest: digestOf(document), from };
  });
}

/** A chain that was read where k0rdent has it counts, and no document of its name: k0rdent would not go by that. */
export function chainsThatCount(
  stored: PlanningDocuments['chains'],
  seen: PlanningDocuments['chains'],
): PlanningDocuments['chains'] {
  const names = new Set(seen.map(({ document }) => document.metadata.name));
  const isElsewhere = ({ document: { kind, metadata } }: (typeof stored)[number]): boolean =>
    kind === 'ServiceTemplateChain' && names.has(metadata.name);
  return [...stored.filter((one) => !isElsewhere(one)), ...seen];
}

/** Says of chains that the application names both as documents and in clusters which of them count. */
export function chainWarnings(
  { spec }: ApplicationDocument,
  chains: PlanningDocuments['chains'],
): string[] {
  // such a name is that of another kind of document, which counts
  const others = new Set(
    chains.flatMap(({ document, from }) => (from === undefined ? document.metadata.name : [])),
  );
  return chains.flatMap(({ document: { metadata }, from }) =>
    from === undefined || others.has(metadata.name) || spec.chains?.includes(metadata.name) !== true
      ? []
      : `ServiceTemplateChain ${metadata.name} counts as it is in ${from.namespace} on ${from.target}, and the document of its name does not: ` +
        'leave one of the two out of the application’s `chains`',
  );
}

function namedIn({ application }: Documents): NamedChain[] {
  if (application === undefined) return [];
  const { metadata, spec } = application.document;
  return (spec.chains ?? []).flatMap((chain, index) =>
    typeof chain === 'string'
      ? []
      : { ...chain, pointer: pointerOf('applications', metadata.name, 'spec', 'chains', index) },
  );
}

function placeOf({ namespace, name }: ClusterChain): { namespace: string; name: string } {
  return { namespace, name };
}
