import { digestOf } from '#kernel';
import {
  issuesWithin,
  serviceTemplateChainDocument,
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
    return { document, generation: found.generation, digest: digestOf(document) };
  });
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
