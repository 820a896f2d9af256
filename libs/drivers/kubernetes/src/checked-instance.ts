import type { InstanceName } from './instance.js';
import type { Workload } from './objects.js';
import type { OwnPod } from './own-pods.js';

/** What a look of a check is given: an instance that runs the right image. */
export interface CheckedInstance {
  readonly instance: InstanceName;
  readonly workload: Workload;
  /** Name of the container that is upgraded. */
  readonly container: string;
  readonly pods: readonly OwnPod[];
}
