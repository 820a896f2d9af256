import type { Observation } from '#contracts';
import type { InstanceName } from './instance.js';
import type { PodContainer, PodTemplate } from './objects.js';

type ObservedMount = Observation['containers'][number]['mounts'][number];

/** Where a container has data that is still there when its pod is not. */
export function mountsOf(
  { namespace }: InstanceName,
  { spec: { volumes = [] } }: PodTemplate,
  { volumeMounts = [] }: PodContainer,
): ObservedMount[] {
  return volumeMounts.flatMap(({ name, mountPath, readOnly = false, subPath }) => {
    const volume = volumes.find((one) => one.name === name);
    const below = subPath === undefined ? '' : `/${subPath}`;
    const { persistentVolumeClaim: claim, hostPath, nfs } = volume ?? {};
    const mount = (kind: 'volume' | 'bind', source: string, volumeReadOnly = false) => [
      { kind, source, destination: mountPath, writable: !readOnly && !volumeReadOnly },
    ];
    if (claim !== undefined)
      return mount('volume', `${namespace}/${claim.claimName}${below}`, claim.readOnly);
    if (hostPath !== undefined) return mount('bind', `${hostPath.path}${below}`);
    if (nfs !== undefined) return mount('bind', `${nfs.server}:${nfs.path}${below}`, nfs.readOnly);
    // ConfigMaps, Secrets, and what goes with the pod
    return [];
  });
}
