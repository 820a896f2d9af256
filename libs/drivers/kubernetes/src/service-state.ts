import type { ServicePlace } from '#contracts';
import type { Cluster } from './cluster.js';
import { selectorText } from './selectors.js';
import type { HolderObject, ServiceStatus } from './service-objects.js';
import { isOf, isSeen, kindOf } from './service-place.js';

/** How far k0rdent is with a template. */
export interface ServiceState {
  readonly isDeployed: boolean;
  /** Why it will not be, where k0rdent has given it up. */
  readonly failure?: string;
  readonly detail: string;
}

/** That k0rdent goes by nothing of an object while they are false. */
const VALIDATIONS: ReadonlySet<string> = new Set([
  'ServicesReferencesValidation',
  'ServicesDependencyValidation',
  'MultiClusterServiceDependencyValidation',
]);

/**
 * How far k0rdent is with a template, in every cluster that it is for. Of a MultiClusterService the clusters are asked themselves: its own status
 * says that all is deployed before it says of what.
 */
export async function stateOf(
  cluster: Cluster,
  place: ServicePlace,
  holder: HolderObject,
  template: string,
  signal: AbortSignal,
): Promise<ServiceState> {
  if (!isSeen(holder)) return pending('k0rdent has not looked at it yet');
  const invalid = holder.status?.conditions?.find(
    ({ type, status }) => VALIDATIONS.has(type) && status === 'False',
  );
  if (invalid !== undefined) {
    const why = invalid.message ?? invalid.type;
    return { isDeployed: false, failure: why, detail: why };
  }
  const clusters = await clustersOf(cluster, place, holder, signal);
  const states = clusters.map((one) => inCluster(place, one, template));
  const failed = states.find(({ failure }) => failure !== undefined);
  if (failed !== undefined) return failed;
  const waiting = states.filter(({ isDeployed }) => !isDeployed);
  const ready = `${template} is deployed in ${states.length - waiting.length} of ${states.length} clusters`;
  const [first] = waiting;
  if (first !== undefined)
    return pending(states.length === 1 ? first.detail : `${ready}; ${first.detail}`);
  return {
    isDeployed: true,
    detail: place.holder === 'MultiClusterService' ? ready : `${template} is deployed`,
  };
}

/** Of a ClusterDeployment itself; of a MultiClusterService those that its selector finds: an empty one finds none. */
export async function clustersOf(
  cluster: Cluster,
  { holder: kind }: Pick<ServicePlace, 'holder'>,
  holder: HolderObject,
  signal: AbortSignal,
): Promise<readonly HolderObject[]> {
  if (kind === 'ClusterDeployment') return [holder];
  const labels = selectorText(holder.spec.clusterSelector ?? {});
  if (labels === '') return [];
  const all = await cluster.list<HolderObject>(
    await kindOf(cluster, 'ClusterDeployment', signal),
    { labels },
    signal,
  );
  return all.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

function pending(detail: string): ServiceState {
  return { isDeployed: false, detail };
}

/** Several that hold the same service may tell of it: that one of them has the template deployed is what counts. */
function inCluster(place: ServicePlace, one: HolderObject, template: string): ServiceState {
  const { metadata, status } = one;
  const states = (status?.services ?? []).filter((state) => isOf(place, state));
  const wanted = states.filter((state) => state.template === template);
  const where = `${metadata.namespace}/${metadata.name}`;
  if (wanted.some(({ state }) => state === 'Deployed'))
    return { isDeployed: true, detail: `${template} is deployed in ${where}` };
  const failed = wanted.find(({ state }) => state === 'Failed');
  if (failed !== undefined && wanted.every(({ state }) => state === 'Failed')) {
    const why = `k0rdent could not deploy ${template} in ${where}: ${failed.failureMessage ?? 'it does not say why'}`;
    return { isDeployed: false, failure: why, detail: why };
  }
  return pending(`in ${where} ${told(wanted[0] ?? states[0])}`);
}

function told(state: ServiceStatus | undefined): string {
  return state === undefined
    ? 'k0rdent says nothing of it yet'
    : `k0rdent says of ${state.template}: ${state.state}`;
}
