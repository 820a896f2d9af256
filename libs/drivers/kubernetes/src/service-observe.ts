import {
  parseService,
  templateId,
  templateIn,
  templateReference,
  type ActionInput,
  type ActionOutput,
  type Observation,
} from '#contracts';
import { assertAsPlanned, type ObserveQuery, type StepContext } from '#drivers/core';
import type { Cluster } from './cluster.js';
import { ownerOf } from './owner.js';
import type { Validated } from './service-objects.js';
import {
  entryIn,
  findHolder,
  holderTitle,
  isSeen,
  kindOf,
  serviceAt,
  serviceTitle,
} from './service-place.js';
import { clustersOf, stateOf } from './service-state.js';

type ObservedContainer = Observation['containers'][number];
type ObservedImage = Observation['images'][number];
type ObservedChain = NonNullable<Observation['chains']>[number];

const ABSENT = {
  ...{ found: false, repoDigests: [], running: false, health: 'none' as const },
  ...{ mounts: [], ports: [], problems: [], warnings: [] },
};

/** How a service is; a template stands in the place of its image. */
export async function observeService(
  cluster: Cluster,
  container: string,
  signal: AbortSignal,
): Promise<ObservedContainer> {
  const place = serviceAt(container);
  const holder = await findHolder(cluster, place, signal);
  const entry = holder && entryIn(place, holder);
  if (holder === undefined || entry === undefined) return { ...ABSENT, container };
  const { template } = entry;
  const state = await stateOf(cluster, place, holder, template, signal);
  const owner = ownerOf(holder);
  const isUnderWay = !state.isDeployed && state.failure === undefined;
  return {
    ...ABSENT,
    container,
    found: true,
    containerId: holder.metadata.uid,
    imageId: templateId(template),
    imageReference: templateReference(template),
    running: state.isDeployed,
    state: state.detail,
    health: state.isDeployed ? 'healthy' : isUnderWay ? 'starting' : 'unhealthy',
    ...(owner === undefined ? {} : { owner }),
    problems: [
      ...(entry.disable === true
        ? ['it is disabled, so that k0rdent does nothing about it: take `disable` away']
        : isUnderWay
          ? [`k0rdent is still about it (${state.detail}): wait until it has deployed it`]
          : []),
      ...(holder.metadata.deletionTimestamp === undefined
        ? []
        : [`${holderTitle(place)} is being deleted`]),
    ],
    warnings:
      place.holder === 'MultiClusterService' &&
      isSeen(holder) &&
      (await clustersOf(cluster, place, holder, signal)).length === 0
        ? ['is in no cluster: none has the labels that its selector asks for']
        : [],
  };
}

/** Whether k0rdent has the template, wherever a service is asked about: its templates are in its own namespace. */
export async function observeTemplate(
  cluster: Cluster,
  reference: string,
  { containers }: Pick<ObserveQuery, 'containers'>,
  signal: AbortSignal,
): Promise<ObservedImage> {
  const name = templateIn(reference) ?? '';
  const resource = await kindOf(cluster, 'ServiceTemplate', signal);
  const namespaces = new Set(containers.flatMap((one) => parseService(one)?.namespace ?? []));
  const problems: string[] = [];
  for (const namespace of namespaces) {
    const found = await cluster.get<Validated>(resource, { namespace, name }, signal);
    if (found === undefined) problems.push(`there is none in ${namespace}`);
    else if (found.status?.valid !== true)
      problems.push(
        `k0rdent does not take that of ${namespace}: ${found.status?.validationError ?? 'it has not looked at it yet'}`,
      );
  }
  const answer = { reference, repoDigests: [] };
  return problems.length === 0
    ? { ...answer, present: true, id: templateId(name) }
    : { ...answer, present: false, problem: problems.join('; ') };
}

export async function observeChain(
  cluster: Cluster,
  at: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<ObservedChain> {
  const resource = await kindOf(cluster, 'ServiceTemplateChain', signal);
  const found = await cluster.get<Validated>(resource, at, signal);
  if (found === undefined) return at;
  const { metadata, spec, status } = found;
  return {
    ...at,
    generation: metadata.generation ?? 1,
    spec: spec as NonNullable<ObservedChain['spec']>,
    ...(status?.valid === true
      ? {}
      : { problem: status?.validationError ?? 'it has not looked at it yet' }),
  };
}

/** Nothing has happened to the service since the plan was made. */
export async function assertServiceUnchanged(
  cluster: Cluster,
  { signal }: StepContext,
  { container, containerId, imageReference, running }: ActionInput<'instance.assert-unchanged'>,
): Promise<ActionOutput<'instance.assert-unchanged'>> {
  const now = await observeService(cluster, container, signal);
  const expected = { UID: containerId, template: imageReference, deployed: running };
  const actual = now.found
    ? { UID: now.containerId, template: now.imageReference, deployed: now.running }
    : undefined;
  const title = `${serviceTitle(serviceAt(container))} on ${cluster.name}`;
  assertAsPlanned(title, expected, actual, { container });
  return {};
}
