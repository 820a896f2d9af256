import { LiftlockError, type ErrorCode } from '#kernel';
import type { Cluster } from './cluster.js';
import { countOf, eventsOf } from './cluster-events.js';
import { Lasting } from './lasting.js';
import type { ClusterEvent, Pod } from './objects.js';
import { lastLines } from './pod-log.js';
import { isReady } from './pod-state.js';
import { isFinalPull, troubleOf, type Trouble } from './pod-trouble.js';

/** A pod that waits without a word is asked about so often, in milliseconds: only events tell that a volume is not there. */
const EVENTS_EVERY_MS = 3_000;
/** So often the kubelet has tried to mount a volume when it counts as impossible, each time after twice as long: about eight seconds. */
const MOUNT_TRIES = 5;

/** What pods are of, for messages. */
export interface PodsOf {
  readonly namespace: string;
  readonly title: string;
}

/** Pods that cannot come right by themselves, recognised in seconds, with the reason that a deadline would not give. */
export class PodFailures {
  private readonly troubles = new Lasting();
  /** The words of the failed pull itself: while the next one is waited for, the status has others. */
  private readonly pullWords = new Map<string, string>();
  private eventsAt = 0;

  constructor(
    private readonly cluster: Cluster,
    private readonly of: PodsOf,
  ) {}

  /** @throws LiftlockError with reason, message and last lines, when one of them cannot run */
  async look(pods: readonly Pod[], signal: AbortSignal): Promise<void> {
    this.troubles.beginLook();
    for (const pod of pods) {
      const trouble = troubleOf(pod);
      if (trouble !== undefined) await this.weigh(pod, trouble, signal);
    }
    await this.lookAtSilent(pods, signal);
    this.troubles.endLook();
  }

  private async weigh(pod: Pod, trouble: Trouble, signal: AbortSignal): Promise<void> {
    const key = `${pod.metadata.uid} ${trouble.container ?? ''} ${trouble.kind}`;
    if (trouble.kind === 'pull') {
      const message = (await this.wordsOfPull(key, pod, trouble, signal)) ?? trouble.message;
      const graceMs = isFinalPull(trouble.reason, message) ? 0 : trouble.graceMs;
      if (!this.troubles.hasLasted(key, graceMs)) return;
      throw await this.failed(pod, { ...trouble, message }, signal);
    }
    if (!this.troubles.hasLasted(key, trouble.graceMs)) return;
    // somebody makes room: an autoscaler adds a node in minutes
    if (trouble.kind === 'schedule' && (await this.isMadeRoom(pod, signal))) return;
    throw await this.failed(pod, trouble, signal);
  }

  private async wordsOfPull(
    key: string,
    pod: Pod,
    { message }: Trouble,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const known = this.pullWords.get(key);
    if (known !== undefined) return known;
    const isOwn = message !== '' && !message.startsWith('Back-off');
    const words = isOwn
      ? message
      : (await this.events(pod, signal)).findLast(
          ({ reason, message: said = '' }) => reason === 'Failed' && /pull/i.test(said),
        )?.message;
    if (words !== undefined) this.pullWords.set(key, words);
    return words;
  }

  private async isMadeRoom(pod: Pod, signal: AbortSignal): Promise<boolean> {
    const events = await this.events(pod, signal);
    return events.some(({ reason }) => reason === 'TriggeredScaleUp' || reason === 'Nominated');
  }

  /** Pods whose status says nothing but that they are waited for. */
  private async lookAtSilent(pods: readonly Pod[], signal: AbortSignal): Promise<void> {
    const pod = pods.find(
      (one) =>
        !isReady(one) &&
        one.status?.phase === 'Pending' &&
        (one.status.containerStatuses ?? []).some(
          ({ state }) =>
            state?.waiting?.reason === 'ContainerCreating' ||
            state?.waiting?.reason === 'PodInitializing',
        ),
    );
    const now = performance.now();
    if (pod === undefined || now - this.eventsAt < EVENTS_EVERY_MS) return;
    this.eventsAt = now;
    const events = await this.events(pod, signal);
    const mount = events.findLast(
      ({ reason }) => reason === 'FailedMount' || reason === 'FailedAttachVolume',
    );
    if (mount === undefined || countOf(mount) < MOUNT_TRIES) return;
    const { reason = '', message = '' } = mount;
    throw this.failure(
      'check_failed',
      pod,
      reason,
      `${message}; create what its template names`,
      {},
    );
  }

  private events(
    { metadata: { uid } }: Pod,
    signal: AbortSignal,
  ): Promise<readonly ClusterEvent[]> {
    return eventsOf(this.cluster, { namespace: this.of.namespace, uid }, signal);
  }

  private async failed(
    pod: Pod,
    { container, code, reason, message, kind }: Trouble,
    signal: AbortSignal,
  ): Promise<LiftlockError> {
    const image = imageOf(pod, container);
    if (kind !== 'crash' || container === undefined) {
      const words = `${message}${wayOut(kind, reason, image)}`;
      return this.failure(code, pod, reason, words, { container, image });
    }
    const log = await lastLines(this.cluster, pod, container, signal);
    const last = log.at(-1);
    const said = last === undefined ? ', and logged nothing' : `; it last logged: ${last}`;
    return this.failure(code, pod, reason, `${message}${said}`, { container, image, log });
  }

  private failure(
    code: ErrorCode,
    { metadata: { name } }: Pod,
    reason: string,
    words: string,
    details: Readonly<Record<string, unknown>>,
  ): LiftlockError {
    const { title } = this.of;
    return new LiftlockError(
      code,
      `the pod ${name} of ${title} on ${this.cluster.name} cannot run: ${reason}: ${words}`,
      { details: { target: this.cluster.name, workload: title, pod: name, reason, ...details } },
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
