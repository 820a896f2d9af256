import type { StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { ClusterName } from './cluster-name.js';
import { instanceTitle, type InstanceName } from './instance.js';
import { isShortOfDisk } from './node-disk.js';
import { mayRunOn } from './node-match.js';
import type { KubeNode, PodSpec } from './objects.js';

/**
 * Those that its pods may run on. One whose disk is short gets no pod, and where there are others, those get it.
 * @throws LiftlockError `disk_full` where there are no others, or each node must have a pod
 */
export function ableNodes(
  {
    cluster,
    context,
  }: { readonly cluster: ClusterName; readonly context: Pick<StepContext, 'log'> },
  instance: InstanceName,
  spec: PodSpec,
  nodes: readonly KubeNode[],
): readonly KubeNode[] {
  const isDaemon = instance.kind === 'DaemonSet';
  const may = nodes.filter((node) => mayRunOn(spec, withoutPressure(node), isDaemon));
  const short = may.filter(isShortOfDisk);
  if (short.length === 0) return may;
  const names = short.map(({ metadata }) => metadata.name).join(', ');
  const said = `the disk of ${names} of ${cluster.name} is short (DiskPressure)`;
  if (isDaemon || short.length === may.length)
    throw new LiftlockError(
      'disk_full',
      `${said}, and pods of ${instanceTitle(instance)} ${isDaemon ? 'must' : 'can only'} run there: nothing was pulled for it; free space there (crictl rmi --prune on the node), and try again`,
      { details: { target: cluster.name, nodes: names } },
    );
  context.log(`${said}: no image is brought there, since no pod is put there either`, 'warn');
  return may.filter((node) => !isShortOfDisk(node));
}

/** As it would be with enough disk. */
function withoutPressure(node: KubeNode): KubeNode {
  const taints = (node.spec.taints ?? []).filter(
    ({ key }) => key !== 'node.kubernetes.io/disk-pressure',
  );
  return { ...node, spec: { ...node.spec, taints } };
}
