import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.js';
import { Followed, nextChange } from './followed.js';
import { resourceOf, type InstanceName } from './instance.js';
import type { KubeObject, Pod, Workload } from './objects.js';
import {
  controllerOf,
  isObserved,
  newestHashOf,
  ownPods,
  replicaSetsOf,
  revisionOf,
  type ControllerRevision,
  type OwnPod,
} from './own-pods.js';
import { RESOURCES } from './resources.js';
import { selectorText } from './selectors.js';

/** What follows a change at once is waited for, in milliseconds: it seldom comes alone. */
const SETTLE_MS = 20;

/** A workload and its pods as they are at any moment: a handful of requests, however long it is looked at. */
export class WatchedInstance {
  private pods: Followed<Pod> | undefined;
  private replicaSets: ReadonlyMap<string, string | undefined> = new Map();
  /** Controllers of pods with the same labels that are not this workload's: known, so that they are not asked for again. */
  private others: ReadonlySet<string> = new Set();
  private newest: { readonly generation: number; readonly hash: string | undefined } | undefined;

  private constructor(
    private readonly cluster: Cluster,
    readonly instance: InstanceName,
    private readonly workloads: Followed<Workload>,
  ) {}

  static async begin(
    cluster: Cluster,
    instance: InstanceName,
    signal: AbortSignal,
  ): Promise<WatchedInstance> {
    const { namespace, name } = instance;
    const selection = { namespace, fields: `metadata.name=${name}` };
    const resource = resourceOf(instance);
    return new WatchedInstance(
      cluster,
      instance,
      await Followed.begin<Workload>(cluster, resource, selection, signal),
    );
  }

  /** Undefined where there is none of that name. @throws as `Followed.all` does */
  get workload(): Workload | undefined {
    return this.workloads.all[0];
  }

  /** Whether its controller has seen it as it is now. */
  get isObserved(): boolean {
    return this.workload !== undefined && isObserved(this.workload);
  }

  /** Its pods, those that are ending among them, by name. */
  async ownPods(signal: AbortSignal): Promise<readonly OwnPod[]> {
    const { workload, instance } = this;
    if (workload === undefined) return [];
    this.pods ??= await Followed.begin<Pod>(
      this.cluster,
      RESOURCES.pods,
      { namespace: instance.namespace, labels: selectorText(workload.spec.selector) },
      signal,
    );
    const { all } = this.pods;
    await this.learn(workload, all, signal);
    const { replicaSets } = this;
    return ownPods(instance, workload, all, { replicaSets, newestHash: this.newest?.hash });
  }

  /** Waits for a change of any of it, and no longer than `atMostMs`. */
  async nextChange(atMostMs: number, signal: AbortSignal): Promise<void> {
    const followed = [this.workloads, ...(this.pods === undefined ? [] : [this.pods])];
    await nextChange(followed, atMostMs, signal);
    await delay(Math.min(SETTLE_MS, atMostMs), undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }

  close(): void {
    this.workloads.close();
    this.pods?.close();
  }

  /** What only other objects tell: asked for when there is something that is not known. */
  private async learn(
    workload: Workload,
    pods: readonly Pod[],
    signal: AbortSignal,
  ): Promise<void> {
    const { kind } = this.instance;
    if (kind === 'Deployment') {
      const revision = revisionOf(workload);
      const controllers = pods.flatMap((pod) => controllerOf(pod)?.uid ?? []);
      const isKnown =
        (revision === undefined || [...this.replicaSets.values()].includes(revision)) &&
        controllers.every((uid) => this.replicaSets.has(uid) || this.others.has(uid));
      if (isKnown) return;
      const all = await this.siblings<KubeObject>(workload, RESOURCES.replicaSets, signal);
      const own = replicaSetsOf(workload, all);
      this.replicaSets = own;
      this.others = new Set(controllers.filter((uid) => !own.has(uid)));
    } else if (kind === 'DaemonSet') {
      const generation = workload.status?.observedGeneration ?? 0;
      if (this.newest?.generation === generation) return;
      const all = await this.siblings<ControllerRevision>(
        workload,
        RESOURCES.controllerRevisions,
        signal,
      );
      this.newest = { generation, hash: newestHashOf(workload, all) };
    }
  }

  private siblings<T extends KubeObject>(
    { spec }: Workload,
    resource: (typeof RESOURCES)['replicaSets' | 'controllerRevisions'],
    signal: AbortSignal,
  ): Promise<readonly T[]> {
    const { namespace } = this.instance;
    const labels = selectorText(spec.selector);
    return this.cluster.list<T>(resource, { namespace, labels }, signal);
  }
}
