import { LiftlockError } from '#kernel';
import type { Attempt } from './attempt.js';
import { drift, instanceTitle } from './instance.js';
import { lastWriter } from './managers.js';
import { hasEnded, wasMissed } from './pod-state.js';
import { RESOURCES } from './resources.js';
import { isStopped } from './scale.js';
import { WatchedInstance } from './watched-instance.js';

/** So often it is looked even when nothing was told, in milliseconds. */
const LOOK_MS = 1_000;

/**
 * Waits until every pod of the instance has ended: nothing writes to what they mount any more.
 * @throws LiftlockError `drift` where somebody starts it meanwhile, `timeout` naming the pods that do not end
 */
export async function untilNoPods(attempt: Attempt): Promise<void> {
  const { cluster, instance, signal } = attempt;
  const watched = await WatchedInstance.begin(cluster, instance, signal);
  let left: string[] = [];
  try {
    for (;;) {
      const { workload } = watched;
      if (workload === undefined) return;
      if (watched.isObserved && !isStopped(attempt, workload))
        throw drift(
          cluster,
          instanceTitle(instance),
          `${instanceTitle(instance)} was stopped, and ${lastWriter(workload)} has started it again: see that nothing does, and try again`,
        );
      const pods = await watched.ownPods(signal);
      left = pods.filter(({ pod }) => !hasEnded(pod)).map(({ pod }) => pod.metadata.name);
      if (left.length === 0 && watched.isObserved) {
        // the controller of a Deployment of the strategy Recreate makes no new pod while there is the object of an old one
        for (const { pod } of pods)
          if (wasMissed(pod)) await attempt.changes.remove(RESOURCES.pods, pod.metadata, 'at once');
        return;
      }
      await watched.nextChange(LOOK_MS, signal);
    }
  } catch (error) {
    if (!signal.aborted || signal.reason instanceof LiftlockError) throw error;
    throw new LiftlockError(
      'timeout',
      `${instanceTitle(instance)} on ${cluster.name} is stopped, but these pods have not ended: ${left.join(', ')}; ` +
        'see what holds them (kubectl describe pod), or give them more time by stopTimeoutSeconds',
      { cause: error, details: { target: cluster.name, pods: left } },
    );
  } finally {
    watched.close();
  }
}
