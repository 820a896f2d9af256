import type { StepContext } from '#drivers/core';
import { Changes } from './changes.js';
import type { Cluster } from './cluster.js';
import { parseInstance, type InstanceName } from './instance.js';
import { keptWorkload, Records, type Kept } from './records.js';

/** One attempt at one action on one instance. */
export class Attempt {
  readonly instance: InstanceName;
  readonly changes: Changes;
  readonly records: Records<Kept>;

  constructor(
    readonly cluster: Cluster,
    readonly context: StepContext,
    { container }: { readonly container: string },
  ) {
    this.instance = parseInstance(container);
    this.changes = new Changes(cluster, context);
    this.records = new Records(cluster, context, this.changes, keptWorkload);
  }

  get signal(): AbortSignal {
    return this.context.signal;
  }
}
