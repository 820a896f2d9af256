import type { Attempt } from './attempt.js';
import { isConflict } from './errors.js';
import { plannedWorkload, replicasOf, resourceOf, type PlannedInstance } from './instance.js';
import type { Workload } from './objects.js';
import type { Kept } from './records.js';
import { runsNowhere, withNodes, withoutNodes } from './template.js';

/** Whether no pod of it is wanted. */
export function isStopped(attempt: Pick<Attempt, 'instance'>, workload: Workload): boolean {
  return attempt.instance.kind === 'DaemonSet'
    ? runsNowhere(workload.spec.template)
    : replicasOf(workload, attempt.instance) === 0;
}

/** No pod of it is wanted any more. */
export function stopped(
  workload: Workload,
  { instance, context }: Pick<Attempt, 'instance' | 'context'>,
): Workload {
  const { spec } = workload;
  if (instance.kind !== 'DaemonSet') return { ...workload, spec: { ...spec, replicas: 0 } };
  return { ...workload, spec: { ...spec, template: withoutNodes(spec.template, context.upgrade) } };
}

/** As many pods of it are wanted as before it was stopped. */
export function started(workload: Workload, { replicas }: Pick<Kept, 'replicas'>): Workload {
  const { spec } = workload;
  const template = withNodes(spec.template);
  return {
    ...workload,
    spec: { ...spec, template, ...(replicas === undefined ? {} : { replicas }) },
  };
}

/** How the workload is, for the record. */
export function keptOf({ instance }: Pick<Attempt, 'instance'>, workload: Workload): Kept {
  return {
    replicas: replicasOf(workload, instance),
    template: withNodes(workload.spec.template),
  };
}

/**
 * Reads the workload, and writes what becomes of it: again and again while others write it, too (its controller writes its status).
 * @param change undefined: nothing is to be done
 * @returns what stands there afterwards, and whether it was written
 */
export async function rewrite(
  attempt: Attempt,
  planned: PlannedInstance,
  change: (workload: Workload) => Promise<Workload | undefined> | Workload | undefined,
): Promise<{ readonly workload: Workload; readonly written: boolean }> {
  const resource = resourceOf(attempt.instance);
  for (;;) {
    const workload = await plannedWorkload(attempt.cluster, planned, attempt.signal);
    const wanted = await change(workload);
    if (wanted === undefined) return { workload, written: false };
    try {
      return { workload: await attempt.changes.replace(resource, wanted), written: true };
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}
