import { parseService, templateIn, type ReleaseDocument } from '#contracts';
import type { ChainGraph } from './chain-graph.js';
import type { Instance } from './instances.js';
import type { LaneSubject, Leg, LegChains } from './lane-subject.js';
import type { Stored } from './planning-documents.js';

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
