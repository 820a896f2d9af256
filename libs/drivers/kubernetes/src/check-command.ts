import type { Check } from '#contracts';
import { CommandVerdict, seen, type Look } from '#drivers/core';
import type { CheckedInstance } from './checked-instance.js';
import type { Cluster } from './cluster.js';
import { execute } from './exec.js';
import { podToUse } from './pod-state.js';

type CommandCheck = Extract<Check, { type: 'command' }>;

/** A command in one of the new version's pods, without a shell; its exit code, and what it prints. */
export function commandLook(cluster: Cluster, wanted: CommandCheck): Look<CheckedInstance> {
  const verdict = new CommandVerdict(wanted);
  return async ({ pods, container }, signal) => {
    const pod = podToUse(pods, container);
    if (pod === undefined) return seen(false, 'none of its pods runs');
    const { command } = wanted;
    const result = await execute(cluster, pod, { container, command }, signal);
    return verdict.of(pod.metadata.name, result);
  };
}
