import { z } from 'zod';
import { dottedName, name } from '../names.js';

export const WORKLOAD_KINDS = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;
export type WorkloadKind = (typeof WORKLOAD_KINDS)[number];

/**
 * What is done about one that belongs to Helm, Argo CD, Flux or a controller, which may set it back: `refused`, the default, or `taken`, where
 * that was settled with its owner.
 */
export const ownerRule = z.enum(['refused', 'taken']).default('refused');

/** What a component is on a Kubernetes cluster: the object whose template its pods are made from. */
export const workload = z.strictObject({
  namespace: name,
  kind: z.enum(WORKLOAD_KINDS).default('Deployment'),
  /** Of the object; default: the component's. At most 160 characters: others are named after it. */
  name: dottedName.max(160, 'must have at most 160 characters').optional(),
  /** Of the containers of its pods; default: the only one, else the one that has the object's name. */
  container: name.optional(),
  owner: ownerRule,
});
export type Workload = z.infer<typeof workload>;

/** What steps and observations name a workload by. */
export interface WorkloadPlace {
  readonly namespace: string;
  readonly kind: WorkloadKind;
  readonly name: string;
  /** Of the pods; left out: the only one, else the one that has the workload's name. */
  readonly container?: string | undefined;
}

/** `<namespace>/<kind>/<name>`, and `/<container>` where one is named. */
export function workloadText({ namespace, kind, name: of, container }: WorkloadPlace): string {
  return [namespace, kind, of, ...(container === undefined ? [] : [container])].join('/');
}

/** `undefined` for what is no workload's place. */
export function parseWorkload(text: string): WorkloadPlace | undefined {
  const [namespace, kind, of, container, ...more] = text.split('/');
  const known = WORKLOAD_KINDS.find((one) => one === kind);
  if (namespace === undefined || known === undefined || of === undefined || more.length > 0)
    return undefined;
  return { namespace, kind: known, name: of, ...(container === undefined ? {} : { container }) };
}

/** What a record of how a workload was is named by: `<namespace>/ConfigMap/<name>`. */
const RECORD = /^([^/]+)\/ConfigMap\/([^/]+)$/;

/** The place of a record, from the `keptName` of a step; `undefined` for what is none. */
export function parseRecord(
  keptName: string,
): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace, of] = RECORD.exec(keptName) ?? [];
  return namespace === undefined || of === undefined ? undefined : { namespace, name: of };
}

/** Where the record of how a workload was before a hop is kept: in its own namespace. */
export function recordText(
  { namespace, kind, name: of }: WorkloadPlace,
  hopNumber: number,
): string {
  const hop = hopNumber === 1 ? '' : `-${hopNumber}`;
  return `${namespace}/ConfigMap/liftlock-${kind.toLowerCase()}-${of}${hop}`;
}
