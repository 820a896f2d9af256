import { setTimeout as delay } from 'node:timers/promises';
import type { ActionInput, ActionOutput, Check } from '#contracts';
import {
  AWAY_MS,
  failure,
  httpLook,
  isAway,
  isWaitedFor,
  seen,
  tcpLook,
  type Look,
  type Seen,
  type StepContext,
} from '#drivers/core';
import { assertNever, LiftlockError } from '#kernel';
import { commandLook } from './check-command.js';
import { LogLook } from './check-log.js';
import type { CheckedInstance } from './checked-instance.js';
import type { Cluster } from './cluster.js';
import { eventsOf } from './cluster-events.js';
import { abortedBy } from './errors.js';
import { FailureWatch } from './failure-watch.js';
import { digestIn, runningImages } from './image-ids.js';
import { containerIn, instanceTitle, parseInstance } from './instance.js';
import type { Workload } from './objects.js';
import { lastLines } from './pod-log.js';
import { isEnding, isReady, runOf, runs } from './pod-state.js';
import type { OwnPod } from './own-pods.js';
import { oldPods, rolloutOf } from './rollout.js';
import { WatchedInstance } from './watched-instance.js';

/** Longest that one look may take, in milliseconds. */
const LOOK_MS = 10_000;
/** What one look has in any case, in milliseconds: the last one begins when the deadline has come. */
const LEAST_LOOK_MS = 2_000;

type Input = ActionInput<'instance.check'>;

/**
 * Looks until the check passes, and has gone on passing for its stable time; it fails at once where a pod cannot run. At the deadline it looks
 * once more. What the cluster says is followed, and not asked for: its looks take no requests but for what a check itself asks.
 */
export async function check(
  cluster: Cluster,
  context: StepContext,
  input: Input,
): Promise<ActionOutput<'instance.check'>> {
  const instance = parseInstance(input.container);
  const watched = await WatchedInstance.begin(cluster, instance, context.signal);
  try {
    return await new Checking(cluster, context, input, watched).untilPassed();
  } finally {
    watched.close();
  }
}

interface LookResult {
  /** Nothing when there was no answer in time. */
  readonly seen: Seen | undefined;
  /** Which pods, in which of their runs. */
  readonly run?: string | undefined;
  /** The cluster was there before, and does not answer now. */
  readonly away?: boolean;
}

class Checking {
  private readonly look: Look<CheckedInstance>;
  private readonly failures: FailureWatch;

  constructor(
    private readonly cluster: Cluster,
    private readonly context: StepContext,
    private readonly input: Input,
    private readonly watched: WatchedInstance,
  ) {
    this.look = lookOf(cluster, input.check);
    this.failures = new FailureWatch(cluster, watched.instance);
  }

  async untilPassed(): Promise<ActionOutput<'instance.check'>> {
    const { deadlineSeconds, intervalMs, stableSeconds } = this.input.check;
    let deadline = performance.now() + deadlineSeconds * 1000;
    const latest = deadline + AWAY_MS;
    let before = performance.now();
    let looks = 0;
    let passingSince: number | undefined;
    let lastRun: string | undefined;
    let last = seen(false, 'no answer in time');
    for (;;) {
      const began = performance.now();
      const left = Math.max(deadline - began, intervalMs, LEAST_LOOK_MS);
      const result = await this.lookOnce(left);
      looks += 1;
      // a pod of it ended, and another run has begun while nobody looked
      if (result.run !== lastRun) passingSince = undefined;
      lastRun = result.run;
      const isStable = passingSince !== undefined && began - passingSince >= stableSeconds * 1000;
      if (result.seen?.passed === true) passingSince ??= performance.now();
      else passingSince = undefined;
      // a look that was cut off saw nothing: what was seen before says more
      last = result.seen ?? last;
      const now = performance.now();
      // time without the API server says nothing about the instance
      if (result.away) deadline = Math.min(latest, deadline + now - before);
      before = now;
      if (passingSince !== undefined && (isStable || stableSeconds === 0))
        return { looks, detail: last.detail };
      if (began >= deadline) throw await this.failedError(looks, last);
      await this.pause(Math.min(intervalMs, deadline - now));
    }
  }

  private async lookOnce(leftMs: number): Promise<LookResult> {
    const { context } = this;
    const timeout = AbortSignal.timeout(Math.ceil(Math.min(leftMs, LOOK_MS)));
    const signal = AbortSignal.any([context.signal, timeout]);
    let run: string | undefined;
    try {
      const { workload } = this.watched;
      const pods = await this.watched.ownPods(signal);
      if (workload === undefined) return { seen: seen(false, 'it is not there') };
      await this.failures.look(workload, pods, signal);
      const wrong = this.notYet(workload, pods);
      if (typeof wrong === 'string') return { seen: seen(false, wrong) };
      run = pods.map(({ pod }) => runOf(pod, wrong.container)).join('\n');
      return { seen: await this.look(wrong, signal), run };
    } catch (error) {
      if (context.signal.aborted)
        throw abortedBy(context.signal, `checking ${this.input.container}`);
      const away = isAway(error) && isWaitedFor(this.cluster, context);
      if (timeout.aborted) return { seen: undefined, run, away };
      if (error instanceof LiftlockError && error.code !== 'target_unreachable') throw error;
      const what = error instanceof Error ? error.message : String(error);
      return { seen: seen(false, what), run, away };
    }
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

  private async failedError(looks: number, last: Seen): Promise<LiftlockError> {
    const { container } = this.input;
    const { type, deadlineSeconds, stableSeconds } = this.input.check;
    const wanted = last.passed ? `, but not yet for ${stableSeconds} s without a miss` : '';
    const { why, log } = await this.lastWords();
    return failure(
      `the ${type} check of ${instanceTitle(this.watched.instance)} on ${this.cluster.name} did not pass within ${deadlineSeconds} s; ` +
        `last seen: ${last.detail}${wanted}${why}`,
      { container, check: type, looks, lastSeen: last.detail, log },
    );
  }

  /** Of a pod that is not ready: what the kubelet noted last, and what it logged. */
  private async lastWords(): Promise<{ readonly why: string; readonly log: readonly string[] }> {
    const signal = AbortSignal.any([this.context.signal, AbortSignal.timeout(LEAST_LOOK_MS)]);
    try {
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
    } catch {
      return { why: '', log: [] };
    }
  }

  /** What only the cluster tells comes without being asked for. */
  private async pause(milliseconds: number): Promise<void> {
    const { signal } = this.context;
    const { type } = this.input.check;
    try {
      if (type === 'health' || type === 'running')
        await this.watched.nextChange(milliseconds, signal);
      else await delay(Math.max(0, milliseconds), undefined, { signal });
    } catch {
      throw abortedBy(signal, 'checking');
    }
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
