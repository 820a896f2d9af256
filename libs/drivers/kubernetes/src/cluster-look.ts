import type { Cluster } from './cluster.js';
import { resourceOf, type InstanceName } from './instance.js';
import type { KubeObject, Pod, Workload } from './objects.js';
import {
  newestHashOf,
  ownPods,
  replicaSetsOf,
  type ControllerRevision,
  type OwnPod,
} from './own-pods.js';
import { RESOURCES, type Resource } from './resources.js';

/** One look at a cluster: what many workloads have in common is asked for once in each of their namespaces, and not for each of them. */
export class ClusterLook {
  private readonly lists = new Map<string, Promise<readonly KubeObject[]>>();

  constructor(
    private readonly cluster: Cluster,
    private readonly signal: AbortSignal,
  ) {}

  async workload(instance: InstanceName): Promise<Workload | undefined> {
    const all = await this.all<Workload>(resourceOf(instance), instance.namespace);
    return all.find(({ metadata }) => metadata.name === instance.name);
  }

  async podsOf(instance: InstanceName, workload: Workload): Promise<readonly OwnPod[]> {
    const { namespace, kind } = instance;
    const pods = await this.all<Pod>(RESOURCES.pods, namespace);
    const replicaSets =
      kind === 'Deployment'
        ? replicaSetsOf(workload, await this.all(RESOURCES.replicaSets, namespace))
        : new Map<string, string>();
    const newestHash =
      kind === 'DaemonSet'
        ? newestHashOf(
            workload,
            await this.all<ControllerRevision>(RESOURCES.controllerRevisions, namespace),
          )
        : undefined;
    return ownPods(instance, workload, pods, { replicaSets, newestHash });
  }

  /** Whether there is a ConfigMap of that name: none of what it holds is of interest. */
  async isThere(at: { readonly namespace: string; readonly name: string }): Promise<boolean> {
    const all = await this.all(RESOURCES.configMaps, at.namespace, true);
    return all.some(({ metadata }) => metadata.name === at.name);
  }

  private all<T extends KubeObject>(
    resource: Resource,
    namespace: string,
    metadataOnly = false,
  ): Promise<readonly T[]> {
    const key = `${namespace} ${resource.group}/${resource.plural}`;
    const known =
      this.lists.get(key) ??
      this.cluster.list<KubeObject>(resource, { namespace, metadataOnly }, this.signal);
    this.lists.set(key, known);
    return known as Promise<readonly T[]>;
  }
}
