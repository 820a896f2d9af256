import { createHash } from 'node:crypto';
import type { StepContext } from '#drivers/core';

/** What an upgrade makes in a cluster has them, so that it is found again. */
export const LABELS = {
  upgrade: 'liftlock.dev/upgrade',
  /** Values of labels are short, and names of instances and steps are not: their hashes, and the whole of them as annotations. */
  instance: 'liftlock.dev/instance',
  step: 'liftlock.dev/step',
  role: 'liftlock.dev/role',
  /** Of the attempt that made it. */
  token: 'liftlock.dev/token',
} as const;

/** On a DaemonSet's pods a node label that no node has: so it is stopped. */
export const STOPPED_BY = 'liftlock.dev/stopped-by';

/** On a pod template: which reference an upgrade brought its image by, and the image as it stands there. */
export const BROUGHT = 'liftlock.dev/brought-as';

/** Who we are to those who look at an object's `managedFields`. */
export const FIELD_MANAGER = 'liftlock';

export type Role = 'record' | 'job' | 'helper' | 'object' | 'pull';

export function hashOf(...words: readonly string[]): string {
  return createHash('sha256').update(words.join('\n')).digest('hex').slice(0, 16);
}

export function marks(
  { upgrade, stepId }: Pick<StepContext, 'upgrade' | 'stepId'>,
  role: Role,
  instance?: string,
): { readonly labels: Record<string, string>; readonly annotations: Record<string, string> } {
  return {
    labels: {
      'app.kubernetes.io/managed-by': 'liftlock',
      [LABELS.upgrade]: upgrade,
      [LABELS.role]: role,
      [LABELS.step]: hashOf(stepId),
      ...(instance === undefined ? {} : { [LABELS.instance]: hashOf(instance) }),
    },
    annotations: {
      [LABELS.step]: stepId,
      ...(instance === undefined ? {} : { [LABELS.instance]: instance }),
    },
  };
}
