import { parseService, type ServicePlace } from '#contracts';
import { LiftlockError } from '#kernel';
import type { Cluster } from './cluster.js';
import { drift, type PlannedInstance } from './instance.js';
import type { Resource } from './resources.js';
import { K0RDENT_GROUP, type HolderObject, type ServiceEntry } from './service-objects.js';

/** What k0rdent takes where an entry names no namespace. */
const DEFAULT_NAMESPACE = 'default';

/** A service, and what holds it, as they were read together. */
export interface FoundService {
  readonly holder: HolderObject;
  readonly entry: ServiceEntry;
}

/** @param text as `serviceText` writes it @throws LiftlockError `invalid_step` */
export function serviceAt(text: string): ServicePlace {
  const place = parseService(text);
  if (place !== undefined) return place;
  throw new LiftlockError('invalid_step', `${text} is no service of k0rdent’s; make a new plan`);
}

/** As k0rdent writes it. */
export function serviceTitle({ releaseNamespace, name }: ServicePlace): string {
  return `service ${releaseNamespace}/${name}`;
}

export function holderTitle({ holder, namespace, object }: ServicePlace): string {
  return holder === 'ClusterDeployment'
    ? `${holder} ${namespace}/${object}`
    : `${holder} ${object}`;
}

export function isOf(
  { releaseNamespace, name }: ServicePlace,
  one: { readonly name: string; readonly namespace?: string },
): boolean {
  return one.name === name && (one.namespace ?? DEFAULT_NAMESPACE) === releaseNamespace;
}

export function kindOf(cluster: Cluster, kind: string, signal: AbortSignal): Promise<Resource> {
  return cluster.resources.ofKind(`${kind}.${K0RDENT_GROUP}`, signal);
}

export async function findHolder(
  cluster: Cluster,
  { holder, namespace, object }: ServicePlace,
  signal: AbortSignal,
): Promise<HolderObject | undefined> {
  const resource = await kindOf(cluster, holder, signal);
  return cluster.get<HolderObject>(resource, { namespace, name: object }, signal);
}

export function entryIn(place: ServicePlace, { spec }: HolderObject): ServiceEntry | undefined {
  return spec.serviceSpec?.services?.find((one) => isOf(place, one));
}

/** The service that was planned with. @throws LiftlockError `drift` where it is gone, or another object has the holder's name */
export async function plannedService(
  cluster: Cluster,
  { container, containerId }: PlannedInstance,
  signal: AbortSignal,
): Promise<FoundService> {
  const place = serviceAt(container);
  const holder = await findHolder(cluster, place, signal);
  const title = `${serviceTitle(place)} of ${holderTitle(place)}`;
  const entry = holder && entryIn(place, holder);
  if (holder === undefined || entry === undefined)
    throw drift(
      cluster,
      container,
      `there is no ${title} any more: put it back, or make a new plan`,
    );
  if (containerId !== undefined && holder.metadata.uid !== containerId)
    throw drift(
      cluster,
      container,
      `${holderTitle(place)} was deleted and made again since the plan was made (UID ${containerId} then, ${holder.metadata.uid} now): make a new plan`,
    );
  return { holder, entry };
}

/** Whether k0rdent has looked at it as it is now. */
export function isSeen({ metadata, status }: HolderObject): boolean {
  return (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}
