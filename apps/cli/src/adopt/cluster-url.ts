import { LiftlockError } from '#kernel';
import { nameOf } from './container-url.js';

export const CLUSTER_PREFIX = 'kubernetes://';

/** Where workloads are, as a person writes it. */
export interface ClusterPlace {
  /** Of the person's kubeconfig. */
  readonly context: string;
  readonly namespace: string;
  /** What to call the target, and where nothing better is known the environment. */
  readonly name: string;
}

/**
 * `kubernetes://CONTEXT/NAMESPACE`; a context's name may hold slashes, as those of EKS do.
 *
 * @throws LiftlockError `invalid_request` that says how it is written.
 */
export function parseClusterUrl(url: string): ClusterPlace {
  const rest = url.slice(CLUSTER_PREFIX.length);
  const end = rest.lastIndexOf('/');
  const context = rest.slice(0, Math.max(end, 0));
  const namespace = rest.slice(end + 1);
  if (!/^\S+$/.test(context) || !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(namespace))
    throw new LiftlockError(
      'invalid_request',
      `${url} is not kubernetes://CONTEXT/NAMESPACE, with CONTEXT one of those that kubectl config get-contexts -o name lists`,
    );
  // of arn:aws:eks:…:cluster/north that is the last part
  return { context, namespace, name: nameOf(context.split('/').at(-1) ?? '', 'cluster') };
}
