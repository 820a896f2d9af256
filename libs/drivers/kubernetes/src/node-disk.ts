import { SharedLook, type StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Cluster } from './cluster.js';
import { statusOf } from './errors.js';
import type { KubeNode } from './objects.js';

/** The disk on which a node keeps images, in bytes. */
export interface NodeDisk {
  readonly free: number;
  /** All of it, where that is told. */
  readonly capacity: number | undefined;
}

/** Whom several ask about one disk at the same time. */
type DiskOf = object;

/** As a kubelet tells of itself (`stats/v1alpha1`, Summary), as far as it is of interest here. */
interface Summary {
  readonly node?: {
    readonly runtime?: {
      readonly imageFs?: { readonly availableBytes?: number; readonly capacityBytes?: number };
    };
  };
}

/** `forbidden`: the account may not ask kubelets. */
type Found = NodeDisk | 'unknown' | 'forbidden';

const looking = new SharedLook<DiskOf, Found>();

/** Whether the kubelet itself says that its disk is short: it takes no pod until that has changed. */
export function isShortOfDisk({ status }: KubeNode): boolean {
  return (
    status?.conditions?.some((one) => one.type === 'DiskPressure' && one.status === 'True') === true
  );
}

/** What is free on the nodes of a cluster, for one step: what it may not ask it says once. */
export class NodeDisks {
  private isForbidden = false;

  constructor(
    private readonly cluster: Cluster,
    private readonly context: StepContext,
  ) {}

  /** @param disk the same for all that ask about this node @returns undefined where it cannot be found out */
  async of(node: string, disk: DiskOf): Promise<NodeDisk | undefined> {
    if (this.isForbidden) return undefined;
    const found = await looking.at(disk, this.context.signal, () => this.look(node));
    if (found === 'forbidden' && !this.isForbidden) {
      this.isForbidden = true;
      this.context.log(
        `what is free on the nodes of ${this.cluster.name} may not be asked: only those are known whose kubelets say that their disk is short ` +
          '(DiskPressure); to have it looked at before, bind liftlock-disks of deploy/kubernetes/role.yaml',
        'warn',
      );
    }
    return typeof found === 'string' ? undefined : found;
  }

  private async look(node: string): Promise<Found> {
    const { cluster, context } = this;
    try {
      const summary = await cluster.json<Summary>(
        `asking what is free on ${node}`,
        { path: `/api/v1/nodes/${encodeURIComponent(node)}/proxy/stats/summary` },
        context.signal,
      );
      const { availableBytes, capacityBytes } = summary.node?.runtime?.imageFs ?? {};
      return availableBytes === undefined
        ? 'unknown'
        : { free: availableBytes, capacity: capacityBytes };
    } catch (error) {
      context.signal.throwIfAborted();
      if (statusOf(error) === 403) return 'forbidden';
      context.log(
        `what is free on ${node} is not known: ${LiftlockError.from(error).message}`,
        'warn',
      );
      return 'unknown';
    }
  }
}
