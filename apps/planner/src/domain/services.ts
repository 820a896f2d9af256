import { parseService, templateIn, type ReleaseDocument } from '#contracts';
import type { ChainGraph } from './chain-graph.js';
import type { Instance } from './instances.js';
import type { LaneSubject, Leg, LegChains } from './lane-subject.js';
import type { Stored } from './planning-documents.js';
import type { Problems } from './problems.js';

/** Whether k0rdent deploys it: to other clusters than the one that its target is. */
export function isService({ component, target }: Pick<Instance, 'component' | 'target'>): boolean {
  return target.driver === 'kubernetes' && component.service !== undefined;
}

/** Of a service in k0rdent's own words, which name its templates. */
export function refusalOf(
  instance: Instance,
  { imageReference = '' }: LaneSubject['container'],
  from: string,
  to: string,
): string {
  const service = parseService(instance.container);
  if (service === undefined) return `${instance.id} can't be upgraded from ${from} to ${to}`;
  const [old, wanted] = [imageReference, instance.wanted.image].map(
    (reference) => templateIn(reference) ?? reference,
  );
  return `service ${service.releaseNamespace}/${service.name} can't be upgraded from ${old} to ${wanted}`;
}

/** Which chains k0rdent is to be shown for a hop, and for its way back. */
export function chainsOf(
  graph: ChainGraph,
  from: Stored<ReleaseDocument> | undefined,
  { document: { metadata: to } }: Stored<ReleaseDocument>,
): LegChains {
  if (from === undefined) return {};
  const { name } = from.document.metadata;
  return {
    forward: graph.templateChainOf(name, to.name),
    back: graph.templateChainOf(to.name, name),
  };
}

/** What a person should know of a hop that no chain leads back from. */
export function noWayBack({ instance: { id }, from, to }: Leg): string {
  return (
    `no chain leads ${id} from ${to} back to ${from}: where the upgrade fails behind that, k0rdent may refuse the way back, and a person is asked; ` +
    'name a ServiceTemplateChain that leads back in the application’s `chains`'
  );
}

/** Labels of the clusters that get a new template one group after another; the last, without any, is all that are left. */
export function clusterWavesOf(
  instance: Instance,
): ReadonlyArray<Readonly<Record<string, string>> | undefined> {
  return isService(instance)
    ? [...(instance.component.service?.waves ?? []), undefined]
    : [undefined];
}

export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}

/** The selector of a MultiClusterService is one for all of its services: while one goes in waves, no other may. */
export function refuseSharedWaves(instances: readonly Instance[], problems: Problems): void {
  const services = instances.filter(isService);
  for (const instance of services) {
    const { service } = instance.component;
    if (service?.waves === undefined) continue;
    const other = services.find(
      (one) =>
        one !== instance &&
        one.target.name === instance.target.name &&
        one.component.service?.object === service.object,
    );
    if (other === undefined) continue;
    problems.add(
      'unplannable',
      instance.pointer,
      `${instance.id} goes in waves, for which the selector of ${service.object} is narrowed, and ${other.id} is a service of it, too: upgrade them by applications of their own`,
    );
  }
}
