import { LiftlockError, type ErrorCode } from '#kernel';
import type { Cluster } from './cluster.js';
import { eventsOf } from './cluster-events.js';
import { instanceTitle, type InstanceName } from './instance.js';
import { Lasting } from './lasting.js';
import type { Workload } from './objects.js';
import type { OwnPod } from './own-pods.js';
import { PodFailures } from './pod-failures.js';
import { isEnding } from './pod-state.js';
import { conditionOf, rolloutOf } from './rollout.js';

/** A controller's events are asked for so often, in milliseconds. */
const EVENTS_EVERY_MS = 3_000;
/** Pods that are ending give back what a quota counts. */
const REFUSED_GRACE_MS = 6_000;

/** What cannot come right by itself, recognised in seconds: what a rollout's deadline would say only minutes later, and without a reason. */
export class FailureWatch {
  private readonly pods: PodFailures;
  private readonly refusals = new Lasting();
  private eventsAt = 0;

  constructor(
    private readonly cluster: Cluster,
    private readonly instance: InstanceName,
  ) {
    const { namespace } = instance;
    this.pods = new PodFailures(cluster, { namespace, title: instanceTitle(instance) });
  }

  /** @throws LiftlockError with reason, message and last lines, when what is new cannot run */
  async look(workload: Workload, pods: readonly OwnPod[], signal: AbortSignal): Promise<void> {
    const mine = pods.filter(({ pod, isNew }) => isNew && !isEnding(pod)).map(({ pod }) => pod);
    await this.pods.look(mine, signal);
    this.refusals.beginLook();
    await this.lookAtController(workload, pods, signal);
    this.refusals.endLook();
  }

  /** What keeps the controller from making pods. */
  private async lookAtController(
    workload: Workload,
    pods: readonly OwnPod[],
    signal: AbortSignal,
  ): Promise<void> {
    const late = conditionOf(workload, 'Progressing', 'False');
    if (late?.reason === 'ProgressDeadlineExceeded')
      throw this.failure('check_failed', late.reason, late.message ?? '');
    const refused = conditionOf(workload, 'ReplicaFailure', 'True');
    const { wanted } = rolloutOf(this.instance, workload, pods);
    const isShort = pods.filter(({ isNew }) => isNew).length < wanted;
    if (refused === undefined && !isShort) return;
    if (!this.refusals.hasLasted('controller', REFUSED_GRACE_MS)) return;
    const message = refused?.message ?? (await this.refusalOf(workload, signal));
    if (message === undefined) return;
    const wayOut = /exceeded quota/.test(message)
      ? '; raise the quota of the namespace, or free some of it'
      : '';
    throw this.failure('target_refused', refused?.reason ?? 'FailedCreate', `${message}${wayOut}`);
  }

  /** A StatefulSet's or DaemonSet's controller tells it by events alone. */
  private async refusalOf(workload: Workload, signal: AbortSignal): Promise<string | undefined> {
    const now = performance.now();
    if (this.instance.kind === 'Deployment' || now - this.eventsAt < EVENTS_EVERY_MS)
      return undefined;
    this.eventsAt = now;
    const { namespace } = this.instance;
    const events = await eventsOf(this.cluster, { namespace, uid: workload.metadata.uid }, signal);
    const newest = events.at(-1);
    return newest?.reason === 'FailedCreate' ? newest.message : undefined;
  }

  private failure(code: ErrorCode, reason: string, message: string): LiftlockError {
    const title = instanceTitle(this.instance);
    return new LiftlockError(
      code,
      `${title} on ${this.cluster.name} cannot run: ${reason}: ${message}`,
      { details: { target: this.cluster.name, workload: title, reason } },
    );
  }
}
