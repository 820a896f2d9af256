import { setTimeout as delay } from 'node:timers/promises';
import type { ActionInput, ActionOutput, Check } from '#contracts';
import { httpLook, seen, tcpLook, type Look, type Seen, type StepContext } from '#drivers/core';
import { assertNever } from '#kernel';
import { commandLook } from './check-command.js';
import { LogLook } from './check-log.js';
import { CheckLoop, type Checked } from './check-loop.js';
import type { CheckedInstance } from './checked-instance.js';
import type { Cluster } from './cluster.js';
import { eventsOf } from './cluster-events.js';
import { FailureWatch } from './failure-watch.js';
import { digestIn, runningImages } from './image-ids.js';
import { containerIn, instanceTitle, parseInstance } from './instance.js';
import type { Workload } from './objects.js';
import { lastLines } from './pod-log.js';
import { isEnding, isReady, runOf, runs } from './pod-state.js';
import type { OwnPod } from './own-pods.js';
import { oldPods, rolloutOf } from './rollout.js';
import { WatchedInstance } from './watched-instance.js';

type Input = ActionInput<'instance.check'>;

/**
 * Looks until the check passes, and has gone on passing for its stable time; it fails at once where a pod cannot run. What the cluster says is
 * followed, and not asked for: its looks take no requests but for what a check itself asks.
 */
export async function check(
  cluster: Cluster,
  context: StepContext,
  input: Input,
): Promise<ActionOutput<'instance.check'>> {
  const instance = parseInstance(input.container);
  const watched = await WatchedInstance.begin(cluster, instance, context.signal);
  try {
    const checked = new CheckedWorkload(cluster, input, watched);
    return await new CheckLoop(cluster, context, input, checked).untilPassed();
  } finally {
    watched.close();
  }
}

class CheckedWorkload implements Checked {
  readonly title: string;
  private readonly lookAt: Look<CheckedInstance>;
  private readonly failures: FailureWatch;

  constructor(
    private readonly cluster: Cluster,
    private readonly input: Input,
    private readonly watched: WatchedInstance,
  ) {
    this.title = instanceTitle(watched.instance);
    this.lookAt = lookOf(cluster, input.check);
    this.failures = new FailureWatch(cluster, watched.instance);
  }

  async look(runs: (run: string) => void, signal: AbortSignal): Promise<Seen> {
    const { workload } = this.watched;
    const pods = await this.watched.ownPods(signal);
    if (workload === undefined) return seen(false, 'it is not there');
    await this.failures.look(workload, pods, signal);
    const wrong = this.notYet(workload, pods);
    if (typeof wrong === 'string') return seen(false, wrong);
    runs(pods.map(({ pod }) => runOf(pod, wrong.container)).join('\n'));
    return this.lookAt(wrong, signal);
  }

  /** Of a pod that is not ready: what the kubelet noted last, and what it logged. */
  async lastWords(
    signal: AbortSignal,
  ): Promise<{ readonly why: string; readonly log: readonly string[] }> {
    const { workload, instance } = this.watched;
    const pods = await this.watched.ownPods(signal);
    const pod = pods.find((one) => one.isNew && !isReady(one.pod) && !isEnding(one.pod))?.pod;
    if (pod === undefined || workload === undefined) return { why: '', log: [] };
    const { namespace } = instance;
    const events = await eventsOf(this.cluster, { namespace, uid: pod.metadata.uid }, signal);
    const warning = events.findLast(({ type }) => type === 'Warning');
    const { name } = containerIn(this.cluster, instance, workload.spec.template);
    const log = await lastLines(this.cluster, pod, name, signal);
    const event = warning === undefined ? '' : `: ${warning.reason}: ${warning.message}`;
    const said = log.length === 0 ? '' : `; it last logged: ${log.at(-1)}`;
    return { why: `; ${pod.metadata.name} is not ready${event}${said}`, log };
  }

  async pause(atMostMs: number, signal: AbortSignal): Promise<void> {
    const { type } = this.input.check;
    if (type === 'health' || type === 'running') await this.watched.nextChange(atMostMs, signal);
    else await delay(atMostMs, undefined, { signal });
  }

  /** Why the check cannot pass now, since the instance is not what is to be checked; else what is to be. */
  private notYet(workload: Workload, pods: readonly OwnPod[]): string | CheckedInstance {
    const { instance } = this.watched;
    const template = containerIn(this.cluster, instance, workload.spec.template);
    const container = template.name;
    const wrong = this.wrongImage(template.image, container, pods);
    if (wrong !== undefined) return wrong;
    const checked = { instance, workload, container, pods };
    // both tell more themselves
    if (this.input.check.type === 'health' || this.input.check.type === 'running') return checked;
    const old = oldPods(pods);
    if (old.length > 0)
      return `old pods are left: ${old.map(({ pod }) => pod.metadata.name).join(', ')}`;
    return pods.some(({ pod }) => !isEnding(pod) && runs(pod, container))
      ? checked
      : 'none of its pods runs';
  }

  private wrongImage(
    image: string,
    container: string,
    pods: readonly OwnPod[],
  ): string | undefined {
    const { imageDigest, imageId } = this.input;
    if (imageDigest !== undefined) {
      const pinned = digestIn(image);
      if (pinned !== undefined)
        return pinned === digestIn(imageDigest)
          ? undefined
          : `its template has the image ${image}, not ${imageDigest}`;
    }
    if (imageDigest === undefined && imageId === undefined) return undefined;
    // by a tag: what the nodes made of it
    const fresh = pods.flatMap(({ pod, isNew }) => (isNew && !isEnding(pod) ? [pod] : []));
    const other = runningImages(fresh, container).find(
      ({ id, digest }) =>
        !(id !== undefined && id === imageId) &&
        !(digest !== undefined && digestIn(digest) === digestIn(imageDigest ?? '')),
    );
    return other && `it runs the image ${other.digest ?? other.id}, not ${imageDigest ?? imageId}`;
  }
}

function lookOf(cluster: Cluster, wanted: Check): Look<CheckedInstance> {
  switch (wanted.type) {
    case 'http':
      return httpLook(wanted);
    case 'tcp':
      return tcpLook(wanted);
    case 'log': {
      const log = new LogLook(cluster, wanted);
      return (checked, signal) => log.look(checked, signal);
    }
    case 'health':
      return async ({ instance, workload, pods }) => {
        const { isComplete, detail } = rolloutOf(instance, workload, pods);
        return seen(isComplete, detail);
      };
    case 'command':
      return commandLook(cluster, wanted);
    case 'running':
      return async (checked) => runningLook(checked);
    default:
      return assertNever(wanted, 'check');
  }
}

/** As many as are wanted, all of them new; whether they are ready is another check's. */
function runningLook({ instance, workload, pods, container }: CheckedInstance): Seen {
  const { wanted } = rolloutOf(instance, workload, pods);
  const old = oldPods(pods).map(({ pod }) => pod.metadata.name);
  if (old.length > 0) return seen(false, `old pods are left: ${old.join(', ')}`);
  const running = pods.filter(({ pod }) => !isEnding(pod) && runs(pod, container)).length;
  return seen(wanted > 0 && running >= wanted, `${running} of ${wanted} pods run`);
}
