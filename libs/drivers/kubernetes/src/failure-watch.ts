import { LiftlockError, type ErrorCode } from '#kernel';
import type { Cluster } from './cluster.js';
import { countOf, eventsOf } from './cluster-events.js';
import { instanceTitle, type InstanceName } from './instance.js';
import type { ClusterEvent, KubeObject, Pod, Workload } from './objects.js';
import type { OwnPod } from './own-pods.js';
import { isEnding, isReady } from './pod-state.js';
import { lastLines } from './pod-log.js';
import { isFinalPull, troubleOf, type Trouble } from './pod-trouble.js';
import { conditionOf, rolloutOf } from './rollout.js';

/** A pod that waits without a word is asked about so often, in milliseconds: only events tell that a volume is not there. */
const EVENTS_EVERY_MS = 3_000;
/** So often the kubelet has tried to mount a volume when it counts as impossible, each time after twice as long: about eight seconds. */
const MOUNT_TRIES = 5;
/** Pods that are ending give back what a quota counts. */
const QUOTA_GRACE_MS = 6_000;

/** What cannot come right by itself, recognised in seconds: what a rollout's deadline would say only minutes later, and without a reason. */
export class FailureWatch {
  /** Since when each trouble is seen. */
  private readonly since = new Map<string, number>();
  /** The words of the failed pull itself: while it is waited for the next one, the status has others. */
  private readonly pullWords = new Map<string, string>();
  private eventsAt = 0;

  constructor(
    private readonly cluster: Cluster,
    private readonly instance: InstanceName,
  ) {}

  /** @throws LiftlockError with reason, message and last lines, when what is new cannot run */
  async look(workload: Workload, pods: readonly OwnPod[], signal: AbortSignal): Promise<void> {
    const mine = pods.filter(({ pod, isNew }) => isNew && !isEnding(pod)).map(({ pod }) => pod);
    const seen = new Set<string>();
    for (const pod of mine) {
      const trouble = troubleOf(pod);
      if (trouble === undefined) continue;
      const key = `${pod.metadata.uid} ${trouble.container ?? ''} ${trouble.kind}`;
      seen.add(key);
      await this.weigh(key, pod, trouble, signal);
    }
    await this.lookAtWorkload(workload, pods, seen, signal);
    await this.lookAtSilent(mine, signal);
    for (const key of this.since.keys()) if (!seen.has(key)) this.since.delete(key);
  }

  private async weigh(key: string, pod: Pod, trouble: Trouble, signal: AbortSignal): Promise<void> {
    if (trouble.kind === 'pull') {
      const told = trouble.message.startsWith('Back-off') ? undefined : trouble.message;
      if (told !== undefined && told !== '') this.pullWords.set(key, told);
      const words = this.pullWords.get(key) ?? (await this.wordsOfPull(pod, signal));
      if (words !== undefined) this.pullWords.set(key, words);
      const message = words ?? trouble.message;
      const graceMs = isFinalPull(trouble.reason, message) ? 0 : trouble.graceMs;
      if (this.hasLasted(key, graceMs))
        throw await this.failed(pod, { ...trouble, message }, signal);
      return;
    }
    if (!this.hasLasted(key, trouble.graceMs)) return;
    // somebody makes room: an autoscaler adds a node in minutes
    if (trouble.kind === 'schedule' && (await this.isMadeRoom(pod, signal))) return;
    throw await this.failed(pod, trouble, signal);
  }

  private hasLasted(key: string, graceMs: number): boolean {
    const now = performance.now();
    const since = this.since.get(key) ?? now;
    this.since.set(key, since);
    return now - since >= graceMs;
  }

  private async wordsOfPull(pod: Pod, signal: AbortSignal): Promise<string | undefined> {
    const events = await this.events(pod, signal);
    return events.findLast(
      ({ reason, message = '' }) => reason === 'Failed' && /pull/i.test(message),
    )?.message;
  }

  private async isMadeRoom(pod: Pod, signal: AbortSignal): Promise<boolean> {
    const events = await this.events(pod, signal);
    return events.some(({ reason }) => reason === 'TriggeredScaleUp' || reason === 'Nominated');
  }

  /** What keeps the controller from making pods. */
  private async lookAtWorkload(
    workload: Workload,
    pods: readonly OwnPod[],
    seen: Set<string>,
    signal: AbortSignal,
  ): Promise<void> {
    const late = conditionOf(workload, 'Progressing', 'False');
    if (late?.reason === 'ProgressDeadlineExceeded')
      throw this.failure('check_failed', late.reason, late.message ?? '', {});
    const refused = conditionOf(workload, 'ReplicaFailure', 'True');
    const { wanted } = rolloutOf(this.instance, workload, pods);
    const isShort = pods.filter(({ isNew }) => isNew).length < wanted;
    const key = 'controller';
    if (refused === undefined && !isShort) return;
    seen.add(key);
    if (!this.hasLasted(key, QUOTA_GRACE_MS)) return;
    const message = refused?.message ?? (await this.refusalOf(workload, signal));
    if (message !== undefined)
      throw this.failure('target_refused', refused?.reason ?? 'FailedCreate', message, {});
  }

  /** A StatefulSet's or DaemonSet's controller tells it by events alone. */
  private async refusalOf(workload: Workload, signal: AbortSignal): Promise<string | undefined> {
    if (this.instance.kind === 'Deployment' || !this.mayAskForEvents()) return undefined;
    const events = await this.events(workload, signal);
    const newest = events.at(-1);
    return newest?.reason === 'FailedCreate' ? newest.message : undefined;
  }

  /** Pods whose status says nothing but that they are waited for. */
  private async lookAtSilent(pods: readonly Pod[], signal: AbortSignal): Promise<void> {
    const silent = pods.filter(
      (pod) =>
        !isReady(pod) &&
        pod.status?.phase === 'Pending' &&
        (pod.status.containerStatuses ?? []).some(
          ({ state }) =>
            state?.waiting?.reason === 'ContainerCreating' ||
            state?.waiting?.reason === 'PodInitializing',
        ),
    );
    const [pod] = silent;
    if (pod === undefined || !this.mayAskForEvents()) return;
    const events = await this.events(pod, signal);
    const mount = events.findLast(
      ({ reason }) => reason === 'FailedMount' || reason === 'FailedAttachVolume',
    );
    if (mount !== undefined && countOf(mount) >= MOUNT_TRIES)
      throw this.failure('check_failed', mount.reason ?? '', mount.message ?? '', {
        pod: pod.metadata.name,
      });
  }

  private mayAskForEvents(): boolean {
    const now = performance.now();
    if (now - this.eventsAt < EVENTS_EVERY_MS) return false;
    this.eventsAt = now;
    return true;
  }

  private events(
    { metadata: { uid } }: KubeObject,
    signal: AbortSignal,
  ): Promise<readonly ClusterEvent[]> {
    return eventsOf(this.cluster, { namespace: this.instance.namespace, uid }, signal);
  }

  private async failed(pod: Pod, trouble: Trouble, signal: AbortSignal): Promise<LiftlockError> {
    const { container, code, reason, message, kind } = trouble;
    const log =
      container === undefined || kind !== 'crash'
        ? []
        : await lastLines(this.cluster, pod, container, signal);
    const details = { pod: pod.metadata.name, image: imageOf(pod, container), log };
    return this.failure(code, reason, message, { container, ...details }, kind);
  }

  private failure(
    code: ErrorCode,
    reason: string,
    message: string,
    details: {
      readonly pod?: string;
      readonly container?: string | undefined;
      readonly image?: string | undefined;
      readonly log?: readonly string[];
    },
    kind?: Trouble['kind'],
  ): LiftlockError {
    const { pod, log } = details;
    const title = instanceTitle(this.instance);
    const what = pod === undefined ? title : `the pod ${pod} of ${title}`;
    const last = log?.at(-1);
    const said =
      kind !== 'crash'
        ? ''
        : last === undefined
          ? ', and logged nothing'
          : `; it last logged: ${last}`;
    return new LiftlockError(
      code,
      `${what} on ${this.cluster.name} cannot run: ${reason}: ${message}${said}${wayOut(kind, reason, details.image)}`,
      { details: { target: this.cluster.name, workload: title, reason, ...details } },
    );
  }
}

function imageOf({ spec }: Pod, container: string | undefined): string | undefined {
  const all = [...(spec.initContainers ?? []), ...spec.containers];
  return all.find(({ name }) => name === container)?.image;
}

function wayOut(kind: Trouble['kind'] | undefined, reason: string, image?: string): string {
  switch (kind) {
    case 'pull':
      return `; see that ${image ?? 'the image'} is there, and that the nodes may pull it (imagePullSecrets)`;
    case 'schedule':
      return '; make room on the nodes, or ask for less';
    case 'create':
      return reason === 'CreateContainerConfigError'
        ? '; create what its template names, or correct the template'
        : '';
    default:
      return '';
  }
}
